"""The templates and catalogues are in the wheel, and the page is rendered from them there in every language."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import landing.page
assert landing.page.__file__.startswith(sys.argv[1]), landing.page.__file__
pages = landing.page.Pages("Example Telecom", "https://operator.example/")
for language in landing.page.LANGUAGES:
    print(pages.plain("unknown", 404, language, False).body("").decode())
"""


def test_a_page_is_rendered_from_a_built_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    shown = subprocess.run([sys.executable, "-I", "-c", SCRIPT, str(unpacked)], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path)
    for title in (
        "No site at this address",
        "Aucun site à cette adresse",
        "Keine Website unter dieser Adresse",
        "No hay ningún sitio en esta dirección",
    ):
        assert title in shown.stdout
    for title in ("Nessun sito a questo indirizzo", "لا يوجد موقع على هذا العنوان"):
        assert title in shown.stdout
