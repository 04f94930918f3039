import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from models.pictures import decode, decode_batch, encode_jpeg
from models.reading.images import read_folders
from models.refusal import DataError
from tfspark.errors import InputNotFoundError

GRADIENT = np.arange(32 * 32 * 3, dtype=np.int64).reshape(32, 32, 3) // 12
PIXELS = GRADIENT.astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


PNG = encoded(Image.fromarray(PIXELS), "PNG")
JPEG = encode_jpeg(PIXELS)


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pixels_without_loss_are_returned_as_they_are(kind, mode):
    content = encoded(Image.fromarray(PIXELS).convert(mode), kind)
    np.testing.assert_array_equal(decode(content, 32), PIXELS)


def test_grey_becomes_three_equal_channels():
    grey = PIXELS[..., 0]
    found = decode(encoded(Image.fromarray(grey), "PNG"), 32)
    np.testing.assert_array_equal(found, np.repeat(grey[..., np.newaxis], 3, axis=-1))


def test_palette_becomes_colours():
    image = Image.fromarray(PIXELS).quantize(16)
    expected = np.asarray(image.convert("RGB"))
    for kind in ("PNG", "GIF"):
        np.testing.assert_array_equal(decode(encoded(image, kind), 32), expected)


def test_cmyk_is_converted_to_rgb():
    content = encoded(Image.fromarray(PIXELS).convert("CMYK"), "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    assert Image.open(io.BytesIO(content)).mode == "CMYK"
    assert np.abs(decode(content, 32).numpy().astype(int) - expected).max() <= 3


def test_of_sixteen_bits_the_upper_eight_stay():
    deep = (GRADIENT * 255 + 77).astype(np.uint16)
    content = tf.io.encode_png(deep).numpy()
    np.testing.assert_array_equal(decode(content, 32), deep >> 8)


def test_of_an_animation_the_first_frame_is_seen():
    first, second = (Image.fromarray(p).quantize(8) for p in (PIXELS, 255 - PIXELS))
    content = encoded(first, "GIF", save_all=True, append_images=[second])
    np.testing.assert_array_equal(decode(content, 32), np.asarray(first.convert("RGB")))


def test_other_sizes_are_resized():
    plain = np.full((50, 70, 3), (10, 200, 90), np.uint8)
    contents = tf.constant([encoded(Image.fromarray(plain), "PNG"), PNG])
    found = decode_batch(contents, 32).numpy()
    assert (found.shape, found.dtype) == ((2, 32, 32, 3), np.uint8)
    np.testing.assert_array_equal(found[0], plain[:32, :32])
    np.testing.assert_array_equal(found[1], PIXELS)


def test_no_rows_give_no_pictures():
    assert decode_batch(tf.constant([], tf.string), 32).shape == (0, 32, 32, 3)


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", JPEG[:-2], JPEG[: len(JPEG) // 2], PNG[:-16], PNG[: len(PNG) // 2]],
)
def test_what_is_no_whole_picture_raises_in_the_graph(content):
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.function(decode_batch)(tf.constant([PNG, content]), 32)


@pytest.fixture
def folder(tmp_path):
    for name, count in {"b": 2, "a": 1}.items():
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"{number}.jpg").write_bytes(JPEG)
    return tmp_path


def test_files_come_by_class_and_name(folder):
    (folder / "LICENSE.txt").write_text("beside the classes")
    (folder / "a" / ".DS_Store").write_text("hidden")
    (folder / "a" / "9.png").write_bytes(PNG)

    files, labels, classes = read_folders(folder)

    assert classes == ("a", "b")
    assert [file[len(str(folder)) + 1 :] for file in files] == [
        *("a/0.jpg", "a/9.png", "b/0.jpg", "b/1.jpg")
    ]
    assert labels.tolist() == [0, 0, 1, 1]
    assert read_folders(folder, ["b", "a"]).classes == classes


def test_missing_folder_is_said(tmp_path):
    with pytest.raises(InputNotFoundError, match=r"No folder x(.|\n)*'a', 'b'"):
        read_folders(tmp_path / "x", ["a", "b"])


def test_other_class_folders_are_all_named(folder):
    with pytest.raises(DataError, match="2 mismatches") as refusal:
        read_folders(folder, ["a", "bb"])
    assert "no folder 'bb'" in str(refusal.value)
    assert "folder 'b' is not a class. Did you mean 'bb'?" in str(refusal.value)


def test_no_class_folder_is_said(tmp_path):
    (tmp_path / "0.jpg").write_bytes(JPEG)
    with pytest.raises(DataError, match="no class folder"):
        read_folders(tmp_path)


def test_empty_class_is_named(folder):
    (folder / "c").mkdir()
    with pytest.raises(DataError, match="folder 'c' is empty"):
        read_folders(folder)


def test_broken_files_are_counted_and_named(folder):
    for number in range(12):
        (folder / "a" / f"cut{number:02}.jpg").write_bytes(JPEG[: len(JPEG) // 2])
    (folder / "a" / "cut00.jpg").write_text("no picture")
    with pytest.raises(DataError, match="12 files that are not complete pictures") as refusal:
        read_folders(folder)
    lines = str(refusal.value).splitlines()
    assert "cut00.jpg: Unknown image file format" in lines[1]
    assert "cut09.jpg" in lines[10]
    assert lines[11].startswith("Hint: ")


def test_files_that_cannot_be_read_are_named(folder, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("models.reading.images.Path.read_bytes", refuse)
    with pytest.raises(DataError, match=r"0\.jpg: Permission denied"):
        read_folders(folder)
    monkeypatch.setattr("models.reading.images.Path.iterdir", refuse)
    with pytest.raises(DataError, match="cannot be read"):
        read_folders(folder)
