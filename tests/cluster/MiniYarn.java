import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.server.MiniYARNCluster;

/** A YARN on this machine: a resource manager and two node managers. Writes yarn-site.xml into a folder when they run. */
public final class MiniYarn {
  private static final String QUEUES = "yarn.scheduler.capacity.root";
  private static final String NODE = "yarn.nodemanager.";

  public static void main(String[] arguments) throws Exception {
    YarnConfiguration conf = new YarnConfiguration();
    conf.set(QUEUES + ".queues", "default");
    conf.set(QUEUES + ".default.capacity", "100");
    conf.set("yarn.scheduler.capacity.maximum-am-resource-percent", "1");
    conf.setInt("yarn.scheduler.minimum-allocation-mb", 128);
    conf.setInt("yarn.minicluster.yarn.nodemanager.resource.memory-mb", 6144);
    conf.setFloat(NODE + "disk-health-checker.max-disk-utilization-per-disk-percentage", 100);
    conf.setBoolean(NODE + "vmem-check-enabled", false);
    MiniYARNCluster cluster = new MiniYARNCluster("tfspark", 2, 1, 1);
    cluster.init(conf);
    cluster.start();
    if (!cluster.waitForNodeManagersToConnect(60_000)) {
      throw new IllegalStateException("the node managers do not connect");
    }
    Path site = Path.of(arguments[0], "yarn-site.xml");
    Path draft = Path.of(arguments[0], "draft");
    try (OutputStream stream = Files.newOutputStream(draft)) {
      ofYarn(cluster.getConfig()).writeXml(stream);
    }
    Files.move(draft, site, StandardCopyOption.ATOMIC_MOVE);
    Thread.currentThread().join();
  }

  /** The settings without those of Hadoop, such as its default file system. */
  private static Configuration ofYarn(Configuration all) {
    Configuration own = new Configuration(false);
    for (Map.Entry<String, String> setting : all) {
      if (setting.getKey().startsWith("yarn.")) {
        own.set(setting.getKey(), setting.getValue());
      }
    }
    return own;
  }
}
