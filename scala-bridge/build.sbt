// The Scala bridge: TensorFlow models in Spark's JVM. README.md says how to build and use it.

import scala.xml.{Elem, Node}
import scala.xml.transform.{RewriteRule, RuleTransformer}

// -Dspark.version=4.0.1 compiles and tests against another one.
val sparkVersion = sys.props.getOrElse("spark.version", "4.1.0")
val tensorflowVersion = "1.1.0"
// The one that TensorFlow Java was built with.
val javacppVersion = "1.5.11"
val protobufVersion = "3.25.8"
val scoptVersion = "4.1.0"

ThisBuild / organization := "io.tfspark"
// Python and Scala have one version.
ThisBuild / version := {
  val source = IO.read((ThisBuild / baseDirectory).value / ".." / "tfspark" / "__init__.py")
  val found = """(?m)^__version__ = "([^"]+)"$""".r.findFirstMatchIn(source)
  found.map(_.group(1)).getOrElse(sys.error("there is no __version__ in tfspark/__init__.py"))
}
ThisBuild / scalaVersion := "2.13.17"
ThisBuild / semanticdbEnabled := true
ThisBuild / semanticdbVersion := "4.13.10"
ThisBuild / scalafixResolvers := Seq(coursierapi.Repository.central())

// TensorFlow's names of its platforms.
val platform: String = {
  val os = sys.props("os.name").toLowerCase
  val arch = sys.props("os.arch").toLowerCase
  val system = if (os.contains("mac")) "macosx" else if (os.contains("win")) "windows" else "linux"
  val machine = if (arch == "aarch64" || arch == "arm64") "arm64" else "x86_64"
  s"$system-$machine"
}

// The packages that Spark's scripts open in the JVM; the JVM of a test starts without these scripts.
val opened = Seq(
  "java.lang",
  "java.lang.invoke",
  "java.lang.reflect",
  "java.io",
  "java.net",
  "java.nio",
  "java.util",
  "java.util.concurrent",
  "java.util.concurrent.atomic",
  "sun.nio.ch",
  "sun.nio.cs",
  "sun.security.action",
  "sun.util.calendar",
  "jdk.internal.ref",
  "sun.security.tools.keytool"
)

lazy val bridge = (project in file("."))
  .settings(
    name := "tfspark-bridge",
    libraryDependencies ++= Seq(
      "org.apache.spark" %% "spark-sql" % sparkVersion % Provided,
      "org.apache.spark" %% "spark-hive" % sparkVersion % Provided,
      "org.tensorflow" % "tensorflow-core-native" % tensorflowVersion,
      ("org.tensorflow" % "tensorflow-core-native" % tensorflowVersion).classifier(platform),
      // A small separate library, which must be there before TensorFlow's library is loaded.
      ("org.bytedeco" % "javacpp" % javacppVersion).classifier(platform),
      "com.google.protobuf" % "protobuf-java" % protobufVersion,
      "com.github.scopt" %% "scopt" % scoptVersion,
      "org.scalatest" %% "scalatest" % "3.2.19" % Test
    ),
    // Python and Scala judge operations by the same lists.
    Compile / resourceGenerators += Def.task {
      val folder = (Compile / resourceManaged).value / "io" / "tfspark" / "operations"
      Seq("allowed.txt", "random.txt", "refused.txt").map { name =>
        val list = folder / name
        IO.copyFile(baseDirectory.value / ".." / "tfspark" / "operations" / name, list)
        list
      }
    }.taskValue,
    Compile / resourceGenerators += Def.task {
      val file = (Compile / resourceManaged).value / "META-INF" / "tfspark.properties"
      IO.write(file, s"version=${version.value}\n")
      // The licences of the bundled libraries require their texts in the jar.
      val folder = (Compile / resourceManaged).value / "META-INF" / "tfspark"
      val base = (ThisBuild / baseDirectory).value
      val texts = Seq(base.getParentFile / "LICENSE", base / "LICENSES.md")
      file +: texts.map { text =>
        IO.copyFile(text, folder / text.getName)
        folder / text.getName
      }
    }.taskValue,
    // The C API has overloads for each type of buffer, so a null needs a type.
    scalacOptions += "-Wconf:cat=deprecation&origin=org\\.apache\\.spark\\..*:s",
    Test / tpolecatExcludeOptions += org.typelevel.scalacoptions.ScalacOptions.warnNonUnitStatement,
    Test / tpolecatExcludeOptions += org.typelevel.scalacoptions.ScalacOptions.warnValueDiscard,
    Test / fork := true,
    Test / parallelExecution := false,
    // The JVM ends before optimised code pays.
    Test / javaOptions ++= Seq("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
    Test / javaOptions ++= Seq("-Xmx2g", "-Dderby.system.durability=test") ++
      opened.map(name => s"--add-opens=java.base/$name=ALL-UNNAMED"),
    Test / javaOptions ++= sys.props.get("tfspark.test.calls").map(calls =>
      s"-Dtfspark.test.calls=$calls"
    ).toSeq,
    Test / javaOptions += s"-Dtfspark.test.flags=${(ThisBuild / baseDirectory).value / "../jobs/README.md"}",
    Test / javaOptions += s"-Dtfspark.test.models=${(ThisBuild / baseDirectory).value / "src/test/models"}"
  )
  .settings(assemblySettings)

// Measures the codec; not part of the jar, and compiled only by `make bridge-jmh`.
lazy val jmh = (project in file("jmh"))
  .dependsOn(bridge)
  .enablePlugins(JmhPlugin)
  .settings(
    name := "tfspark-bridge-jmh",
    publish / skip := true,
    // Otherwise sbt packs the bridge's classes into a second jar, with the same name as that of `bridgeJar`.
    Jmh / fullClasspathAsJars := (Jmh / fullClasspath).value,
    Jmh / bgRun / bgCopyClasspath := false,
    libraryDependencies += "org.apache.spark" %% "spark-sql" % sparkVersion,
    Jmh / javaOptions ++= opened.map(name => s"--add-opens=java.base/$name=ALL-UNNAMED")
  )

// The jar without the native library; `bridgeJar` adds the library of this platform.
val bridgeJar = taskKey[File]("Build the jar that runs on a plain Spark by --jars")

lazy val assemblySettings = Seq(
  // The thin jar is published for --packages; its POM depends on the native library.
  Compile / packageBin := assembly.value,
  pomPostProcess := { pom =>
    val onlyNative = new RewriteRule {
      override def transform(node: Node): Seq[Node] = node match {
        case one: Elem if one.label == "dependency" && (one \ "classifier").text != platform => Nil
        case other => other
      }
    }
    new RuleTransformer(onlyNative).transform(pom).head
  },
  assembly / assemblyJarName := s"tfspark-bridge_2.13-${version.value}-thin.jar",
  assembly / mainClass := Some("io.tfspark.jobs.BatchScore"),
  assembly / assemblyOption := (assembly / assemblyOption).value.withIncludeScala(false),
  assembly / assemblyExcludedJars :=
    (assembly / fullClasspath).value.filter(_.data.getName.endsWith(s"$platform.jar")),
  // Spark's distributions have other versions of protobuf, or none, and a user's jars may have another scopt. JavaCPP
  // cannot be renamed: the native library uses its names.
  assembly / assemblyShadeRules := Seq(
    ShadeRule.rename("com.google.protobuf.**" -> "io.tfspark.shaded.protobuf.@1").inAll,
    ShadeRule.rename("scopt.**" -> "io.tfspark.shaded.scopt.@1").inAll
  ),
  assembly / assemblyMergeStrategy := {
    case PathList("META-INF", "services", _*) => MergeStrategy.concat
    case PathList("META-INF", "tfspark.properties") => MergeStrategy.singleOrError
    case PathList("META-INF", "tfspark", _*) => MergeStrategy.singleOrError
    case PathList("META-INF", _*) => MergeStrategy.discard
    case PathList("google", "protobuf", _*) => MergeStrategy.discard
    case _ => MergeStrategy.deduplicate
  },
  bridgeJar := {
    val thin = assembly.value
    val native =
      (Runtime / fullClasspath).value.map(_.data).filter(_.getName.endsWith(s"$platform.jar"))
    val target = thin.getParentFile / s"tfspark-bridge_2.13-${version.value}-$platform.jar"
    NativeJar.join(thin +: native, target)
  }
)
