"""Tables of narrated clips as people write them: what is used, and what is named and left out."""

import numpy as np
import pytest

from eilev.clips.decoder import Video
from eilev.serving.bank_folder import BankError, BankFolder
from tests.tiny import NUM_FRAMES
from tests.videos import write_video

MIB = 2**20


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    (folder / "more").mkdir()
    for number, name in enumerate(("a.mp4", "b.mp4", "more/c.mp4")):
        write_video(folder / name, num_frames=30 + 4 * number)
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture
def read(clips, decoders, engine):
    def read(text, *, name="bank.csv", max_bytes=MIB):
        (clips / name).write_text(text)
        try:
            return BankFolder(clips, decoders, max_bytes).read(engine)
        finally:
            (clips / name).unlink()

    return read


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_clips_are_what_the_model_makes_of_them(read, clips, engine):
    bank = read("narration,file,start,end\nCuts.,a.mp4,,\nOpens.,more/c.mp4,0.2,0.8\n")
    assert [(one.id, one.narration, one.file) for one in bank.examples] == [
        ("bank.csv, line 2", "Cuts.", "a.mp4"),
        ("bank.csv, line 3", "Opens.", "more/c.mp4"),
    ]
    size = engine.manifest.frame_size
    frames = [
        Video(clips / "a.mp4", size).clip(None, 0.0, NUM_FRAMES),
        Video(clips / "more/c.mp4", size).clip(0.5, 0.6, NUM_FRAMES),
    ]
    np.testing.assert_allclose(bank.features, engine.encode(frames), atol=1e-5)


def test_what_spreadsheets_write_is_read(read):
    bank = read("File\tNarration\tNote\nb.mp4\t The camera  wearer cuts. \t\n", name="bank.tsv")
    assert [one.narration for one in bank.examples] == ["The camera wearer cuts."]
    quoted = read(
        '\ufefffile;narration;start\r\na.mp4;"Cuts; then\r\nopens.";\r\nb.mp4;Opens.;\r\n'
    )
    assert [(one.id, one.narration) for one in quoted.examples] == [
        ("bank.csv, line 3", "Cuts; then opens."),
        ("bank.csv, line 4", "Opens."),
    ]


def test_lines_that_cannot_be_used_are_named_and_left_out(read, caplog):
    bank = read(
        "file,narration,start,end\n"
        "a.mp4,Cuts.,,\n"
        "gone.mp4,Cuts.,,\n"
        "b.mp4, ,,\n"
        "broken.mp4,Cuts.,,\n"
        "b.mp4,Cuts.,1,\n"
        "b.mp4,Cuts.,0.8,0.2\n"
        "b.mp4,Cuts.,50,51\n"
        "b.mp4,Cuts.\n"
        f"b.mp4,{'x' * 2000},,\n"
        "b.mp4,Opens.,0.1,0.9\n"
    )
    assert [one.id for one in bank.examples] == ["bank.csv, line 2", "bank.csv, line 11"]
    said = sorted(warnings(caplog))
    expected = {
        3: "'gone.mp4' is not a file in",
        4: "1 to 1024 characters, not 0",
        5: "broken.mp4: the video",
        6: "start '1' and end '' are not both seconds",
        7: "start '0.8' does not lie before end '0.2'",
        8: "b.mp4: the video",
        9: "not as many fields as the header",
        10: "1 to 1024 characters, not 2000",
    }
    lines = {number: f"bank.csv, line {number}: " for number in expected}
    found = {
        number: next(text for text in said if text.startswith(start))
        for number, start in lines.items()
    }
    assert len(said) == len(expected)
    for number, reason in expected.items():
        assert reason in found[number]
        assert found[number].endswith("; left out")


def test_a_bank_is_bounded(read, engine, caplog):
    each = 4 * engine.manifest.num_query_tokens * engine.manifest.hidden_size
    lines = "".join(f"{name}.mp4,Cuts.\n" for name in "abab")
    bank = read(f"file,narration\n{lines}", max_bytes=3 * each)
    assert [one.file for one in bank.examples] == ["a.mp4", "b.mp4", "a.mp4"]
    assert warnings(caplog) == ["bank.csv, line 5: no room; see --bank-mib; left out"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,text\na.mp4,Cuts.\n", "no column narration"),
        ("file,narration\ngone.mp4,Cuts.\n", "no line of it can be used"),
        ("", "no column file and narration"),
        ('file,narration\na.mp4,"Cuts.\nb.mp4,Opens.\n', "after line 1: unexpected end"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(read, text, reason):
    with pytest.raises(BankError, match=rf"bank\.csv: {reason}"):
        read(text)


def test_there_is_one_table(clips, decoders, engine):
    folder = BankFolder(clips, decoders, MIB)
    with pytest.raises(BankError, match="neither"):
        folder.read(engine)
    for name in ("bank.csv", "bank.tsv"):
        (clips / name).write_text("file,narration\na.mp4,Cuts.\n")
    with pytest.raises(BankError, match="both"):
        folder.read(engine)
    for name in ("bank.csv", "bank.tsv"):
        (clips / name).unlink()
