"""Makes an installed distribution out of strings: its modules, and the metadata that an installer would write."""

import textwrap


def write_plugin(site, name, *, modules=None, entry_points=None, version="1.0"):
    """Installs a distribution into a folder that is, or will be, on the import path.

    Args:
        site: The folder.
        name: The distribution's name.
        modules: Module name → source.
        entry_points: Group without its `codex_ml.` → {name: target}.
        version: The distribution's version.
    """
    site.mkdir(exist_ok=True)
    for module, source in (modules or {}).items():
        (site / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "entry_points.txt": "\n".join(
            f"[codex_ml.{group}]\n" + "".join(f"{key} = {target}\n" for key, target in targets.items())
            for group, targets in (entry_points or {}).items()
        ),
        "INSTALLER": "test\n",
    }
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    for file, text in files.items():
        (info / file).write_text(text, encoding="utf-8")
    listed = [*(f"{module}.py" for module in modules or {}), *(f"{info.name}/{file}" for file in [*files, "RECORD"])]
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in listed), encoding="utf-8")
