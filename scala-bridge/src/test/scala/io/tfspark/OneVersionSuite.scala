package io.tfspark

import java.net.{URL, URLClassLoader}
import java.nio.file.Files

import io.tfspark.error.UsageException
import org.scalatest.funsuite.AnyFunSuite

class OneVersionSuite extends AnyFunSuite {

  private def jar(version: String): URL = {
    val folder = Files.createTempDirectory("jar")
    val file = Files.createDirectories(folder.resolve("META-INF")).resolve("tfspark.properties")
    Files.writeString(file, s"version=$version\n")
    folder.toUri.toURL
  }

  private def loader(jars: URL*): ClassLoader = new URLClassLoader(jars.toArray, null)

  test("one version is fine, however often it is there; two are refused") {
    OneVersion.check(loader())
    OneVersion.check(None.orNull)
    OneVersion.check(loader(jar("0.1.0"), jar("0.1.0")))
    val error = intercept[UsageException](OneVersion.check(loader(jar("0.1.0"), jar("0.2.0"))))
    assert(error.getMessage.startsWith("Two versions of the tfspark bridge are on the class path."))
    assert(error.getMessage.contains("0.1.0 in file:"))
  }
}
