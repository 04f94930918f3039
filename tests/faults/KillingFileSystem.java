import java.io.IOException;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * Local files; kills the driver and its JVM before one operation of Spark's own writer.
 *
 * <p>`tests.before` is a pattern of operations such as `rename:SOURCE:TARGET`. `tests.allowed` is
 * the number of such operations in the staging folder of Spark that are done before.
 */
public class KillingFileSystem extends LocalFileSystem {
  private static final Pattern STAGED = Pattern.compile("/work-[^/:]*/spark(/|:|$)");
  private static int done = 0;

  @Override
  public FSDataOutputStream create(
      Path file,
      FsPermission permission,
      boolean overwrite,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress)
      throws IOException {
    step("create:" + file.toUri().getPath());
    return super.create(
        file, permission, overwrite, bufferSize, replication, blockSize, progress);
  }

  @Override
  public boolean mkdirs(Path folder) throws IOException {
    step("mkdirs:" + folder.toUri().getPath());
    return super.mkdirs(folder);
  }

  @Override
  public boolean rename(Path source, Path target) throws IOException {
    step("rename:" + source.toUri().getPath() + ":" + target.toUri().getPath());
    return super.rename(source, target);
  }

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    step("delete:" + path.toUri().getPath());
    return super.delete(path, recursive);
  }

  private void step(String operation) {
    if (!STAGED.matcher(operation).find()) return;
    if (!Pattern.compile(getConf().get("tests.before")).matcher(operation).find()) return;
    // Other tasks wait here while the thread that kills has the lock.
    synchronized (KillingFileSystem.class) {
      if (done++ == getConf().getInt("tests.allowed", 0)) {
        System.err.println("killed before " + operation);
        ProcessHandle.current().parent().ifPresent(ProcessHandle::destroyForcibly);
        Runtime.getRuntime().halt(137);
      }
    }
  }
}
