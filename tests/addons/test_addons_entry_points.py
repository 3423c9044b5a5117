import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pytest

from codex_addons import entry_points
from codex_addons.entry_points import InstalledEntryPoint, available, choose, installed, load
from codex_addons.errors import ApiVersionError, EntryPointWarning, PluginLoadError
from codex_addons.policy import refusal

GROUP = "addons_test.things"


def entry(name="x", target="m:a", distribution="acme", *, group=GROUP, version="1.0"):
    return InstalledEntryPoint(name, group, target, distribution, version, None, False)


def test_a_record_holds_what_the_metadata_say(install, site):
    install("Acme-Tools", version="2.1", entry_points=f"[{GROUP}]\n# a comment\nthing = acme.mod : Cls.make [extra]\n")
    assert installed(GROUP) == (
        InstalledEntryPoint("thing", GROUP, "acme.mod:Cls.make", "Acme-Tools", "2.1", site, False),
    )


def test_records_are_sorted_by_name_then_distribution(install):
    install("zeta", entry_points=f"[{GROUP}]\nb = m:b\na = m:a\n")
    install("Alpha", entry_points=f"[{GROUP}]\nb = m:b\n")
    assert [(each.name, each.distribution) for each in installed(GROUP)] == [
        ("a", "zeta"),
        ("b", "Alpha"),
        ("b", "zeta"),
    ]


def test_listing_does_not_import(install, site):
    marker = site / "imported"
    install("acme", entry_points=f"[{GROUP}]\nx = acme_side_effect:x\n", acme_side_effect=f"open({str(marker)!r}, 'w')")
    assert [each.name for each in installed(GROUP)] == ["x"]
    assert "acme_side_effect" not in sys.modules
    assert not marker.exists()


def test_a_group_nobody_offers_is_empty():
    assert installed("addons_test.nobody") == ()


def test_this_project_is_found_through_its_own_entry_points():
    assert "codex-ml" in {each.distribution for each in installed("codex_ml.models")}


def test_what_is_installed_or_removed_later_is_seen_at_once(install):
    assert installed(GROUP) == ()
    first = install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    assert len(installed(GROUP)) == 1
    install("other", entry_points=f"[{GROUP}]\ny = m:a\n")
    assert len(installed(GROUP)) == 2
    shutil.rmtree(first)
    assert [each.name for each in installed(GROUP)] == ["y"]


def test_the_first_distribution_on_the_path_shadows_a_later_one(install, tmp_path, monkeypatch):
    install("my.acme", into=tmp_path / "late", version="1.0", entry_points=f"[{GROUP}]\nold = m:a\n")
    monkeypatch.syspath_prepend(str(tmp_path / "late"))
    install("My_Acme", into=tmp_path / "early", version="2.0", entry_points=f"[{GROUP}]\nnew = m:a\n")
    monkeypatch.syspath_prepend(str(tmp_path / "early"))
    assert [(each.name, each.version) for each in installed(GROUP)] == [("new", "2.0")]


def test_a_distribution_without_entry_points_shadows_too(install, tmp_path, monkeypatch):
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    install("acme", into=tmp_path / "early", version="2.0")
    monkeypatch.syspath_prepend(str(tmp_path / "early"))
    assert installed(GROUP) == ()


def test_what_an_interrupted_uninstall_leaves_behind_shadows_nothing(install, tmp_path, monkeypatch):
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    (tmp_path / "early" / "acme-0.9.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path / "early"))
    assert [each.version for each in installed(GROUP)] == ["1.0"]


def test_what_pip_is_about_to_remove_does_not_count(install, site):
    metadata = install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    metadata.rename(site / "~cme-1.0.dist-info")
    assert installed(GROUP) == ()


def test_an_editable_install_is_told_and_located_at_its_project(install, tmp_path):
    project = tmp_path / "my project"
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n", editable=project)
    (record,) = installed(GROUP)
    assert record.editable
    assert record.location == project


def test_an_egg_info_beside_the_sources_is_editable_even_with_an_egg_link(install, tmp_path, site, monkeypatch):
    sources = tmp_path / "src"
    (sources / "acme.egg-info").mkdir(parents=True)
    (sources / "acme.egg-info" / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 0.3\n")
    (sources / "acme.egg-info" / "entry_points.txt").write_text(f"[{GROUP}]\nx = m:a\n")
    (site / "acme.egg-link").write_text(f"{sources}\n.")
    monkeypatch.syspath_prepend(str(sources))
    assert installed(GROUP) == (InstalledEntryPoint("x", GROUP, "m:a", "acme", "0.3", sources, True),)


def test_an_installed_egg_info_is_not_editable(site):
    metadata = site / "acme-1.2-py3.11.egg-info"
    metadata.mkdir()
    (metadata / "PKG-INFO").write_text("Name: acme\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\nx = m:a\n")
    (record,) = installed(GROUP)
    assert (record.version, record.editable, record.location) == ("1.2", False, site)


@pytest.mark.parametrize("origin", ["{", "[]", "{}", '{"url": 3, "dir_info": {"editable": true}}', '{"dir_info": 1}'])
def test_a_broken_direct_url_is_taken_as_not_editable(install, site, origin):
    metadata = install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    (metadata / "direct_url.json").write_text(origin)
    (record,) = installed(GROUP)
    assert (record.editable, record.location) == (False, site)


@pytest.mark.parametrize(
    "content",
    [b"[group]\nx = caf\xe9:a\n", b"[group]\nno equals sign\n", b"x = m:a\n", b"[group]\nx =\n", b"\x00\xff\xfe"],
    ids=["not utf-8", "no equals sign", "no group", "no value", "binary"],
)
def test_corrupt_metadata_is_one_warning_that_names_the_distribution(install, content):
    install("broken-one", entry_points=content)
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    with pytest.warns(EntryPointWarning, match="broken_one") as caught:
        assert [each.name for each in installed(GROUP)] == ["x"]
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(installed(GROUP)) == 1


def test_missing_core_metadata_leave_the_folder_name(install):
    metadata = install("acme", version="4.0", entry_points=f"[{GROUP}]\nx = m:a\n")
    (metadata / "METADATA").unlink()
    (record,) = installed(GROUP)
    assert (record.distribution, record.version) == ("acme", "4.0")


def test_a_byte_order_mark_is_no_obstacle(install):
    install("acme", entry_points=b"\xef\xbb\xbf" + f"[{GROUP}]\r\nx = m:a\r\n".encode())
    assert [each.target for each in installed(GROUP)] == ["m:a"]


def test_a_zip_on_the_path_goes_through_the_library(install, tmp_path, site, monkeypatch):
    install("zipped", entry_points=f"[{GROUP}]\nx = zipped_module:VALUE\n", zipped_module="VALUE = 7\n")
    archive = tmp_path / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(site.rglob("*")):
            packed.write(file, file.relative_to(site))
    monkeypatch.setattr(sys, "path", [str(archive), *(each for each in sys.path if each != str(site))])
    (record,) = installed(GROUP)
    assert (record.distribution, record.version, record.location) == ("zipped", "1.0", archive)
    assert load(record) == 7


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"METADATA": "Name: zipped\nVersion: 1\n", "entry_points.txt": "no group"}, "entry_points.txt: line 1"),
        ({"entry_points.txt": f"[{GROUP}]\nx = m:a\n"}, "its metadata cannot be read"),
    ],
)
def test_a_broken_distribution_in_a_zip_is_one_warning(tmp_path, monkeypatch, files, told):
    archive = tmp_path / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file, text in files.items():
            packed.writestr(f"zipped-1.dist-info/{file}", text)
    monkeypatch.setattr(sys, "path", [str(archive), *sys.path])
    with pytest.warns(EntryPointWarning, match=told):
        assert installed(GROUP) == ()


def test_folded_headers_and_odd_lines_of_core_metadata_are_passed_over(install):
    metadata = install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    text = "Metadata-Version: 2.1\nDescription: a\n  Version: 9\nno colon\nName: acme\nName: other\nVersion: 2\n"
    (metadata / "METADATA").write_text(text)
    (record,) = installed(GROUP)
    assert (record.distribution, record.version) == ("acme", "2")


def test_a_custom_finder_is_asked(monkeypatch):
    from importlib.metadata import Distribution

    class Remote(Distribution):
        def read_text(self, filename):
            metadata = "Metadata-Version: 2.1\nName: remote\nVersion: 5\n"
            return {"METADATA": metadata, "entry_points.txt": f"[{GROUP}]\nx = m:a\n"}.get(filename)

        def locate_file(self, path):
            return path

    class Finder:
        def find_spec(self, name, path=None, target=None):
            return None

        def find_distributions(self, context=None):
            return [Remote()]

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert installed(GROUP) == (InstalledEntryPoint("x", GROUP, "m:a", "remote", "5", None, False),)


def test_a_custom_finder_that_raises_is_one_warning(monkeypatch, install):
    class Failing:
        def find_spec(self, name, path=None, target=None):
            return None

        def find_distributions(self, context=None):
            raise RuntimeError("offline")

    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Failing()])
    with pytest.warns(EntryPointWarning, match=r"Failing.*offline"):
        assert len(installed(GROUP)) == 1


def test_the_working_directory_on_the_path_follows_it(install, tmp_path, monkeypatch):
    install("acme", into=tmp_path / "here", entry_points=f"[{GROUP}]\nx = m:a\n")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert installed(GROUP) == ()
    monkeypatch.chdir(tmp_path / "here")
    assert len(installed(GROUP)) == 1


def test_odd_path_entries_are_skipped(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/nowhere"), None, "/no/such/folder", "a\0b"])
    assert installed(GROUP) == ()


def test_the_answers_are_those_of_the_library():
    import importlib_metadata

    for group in ("console_scripts", "pytest11", "codex_ml.models"):
        theirs = {
            (each.name, each.dist.name, each.dist.version) for each in importlib_metadata.entry_points(group=group)
        }
        assert {(each.name, each.distribution, each.version) for each in installed(group)} == theirs


def test_choosing_prefers_the_own_distribution_whatever_its_spelling():
    ours, theirs = entry("own1", distribution="Codex_ML"), entry("own1", distribution="acme")
    with pytest.warns(EntryPointWarning, match=r"'own1'.*Codex_ML and acme"):
        assert choose([theirs, ours]) == {"own1": ours}


def test_choosing_takes_the_first_by_distribution_name():
    entries = [entry("first1", distribution=each) for each in ("zeta", "Beta", "alpha")]
    with pytest.warns(EntryPointWarning) as caught:
        assert choose(entries)["first1"].distribution == "alpha"
    assert [str(each.message).count("alpha") for each in caught] == [2, 2]


def test_a_collision_is_told_once_in_a_process():
    entries = [entry("once1", distribution=each) for each in ("alpha", "beta")]
    with pytest.warns(EntryPointWarning):
        choose(entries)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose(entries)


def test_choosing_sorts_by_name():
    assert list(choose([entry("b"), entry("a"), entry("c")])) == ["a", "b", "c"]


def test_choosing_another_own():
    entries = [entry("other1", distribution=each) for each in ("alpha", "my-app")]
    with pytest.warns(EntryPointWarning):
        assert choose(entries, own="my_app")["other1"].distribution == "my-app"


def test_loading_returns_the_object_that_the_target_names(install):
    install(
        "acme",
        entry_points=f"[{GROUP}]\ndeep = acme_load:Outer.inner\nwhole = acme_load\n",
        acme_load="class Outer:\n    inner = 3\n",
    )
    deep, whole = installed(GROUP)
    assert load(deep) == 3
    assert load(whole).Outer.inner == 3


def test_importing_goes_by_the_record_not_by_the_name(install):
    install("acme", entry_points=f"[{GROUP}]\nx = acme_record:x\n", acme_record="x = 'acme'\n")
    install("beta", entry_points=f"[{GROUP}]\nx = beta_record:x\n", beta_record="x = 'beta'\n")
    assert [load(each) for each in installed(GROUP)] == ["acme", "beta"]


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("raise SystemExit(3)", SystemExit),
        ("import no_such_module_at_all", ModuleNotFoundError),
        ("this is no python", SyntaxError),
        ("pass", AttributeError),
        ("class Odd(BaseException): pass\nraise Odd", BaseException),
        ("def x(): pass\nx.__codex_meta__ = 3", TypeError),
    ],
)
def test_whatever_a_plugin_raises_is_a_load_error(install, source, cause):
    install("acme-broken", entry_points=f"[{GROUP}]\nx = acme_broken:x\n", acme_broken=source)
    (record,) = installed(GROUP)
    with pytest.raises(PluginLoadError, match=r"'x' of acme-broken 1\.0") as caught:
        load(record)
    assert isinstance(caught.value.cause, cause)
    assert caught.value.__cause__ is caught.value.cause
    assert (caught.value.name, caught.value.distribution) == ("x", "acme-broken")


@pytest.mark.parametrize("target", ["", "not a target", "m:", ":a", "os; import sys", "m:a:b"])
def test_a_malformed_target_is_a_load_error(target):
    with pytest.raises(PluginLoadError, match="written module:attribute"):
        load(entry(target=target))


def test_ctrl_c_during_an_import_is_not_swallowed(install):
    install("acme", entry_points=f"[{GROUP}]\nx = acme_interrupt:x\n", acme_interrupt="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(installed(GROUP)[0])


@pytest.mark.parametrize("attribute", ["__codex_api__", "__codex_ext_api__"])
def test_another_api_version_is_an_error_that_names_both_and_the_distribution(install, attribute):
    install("acme", entry_points=f"[{GROUP}]\nx = acme_api:x\n", acme_api=f"def x(): pass\nx.{attribute} = 'v2'\n")
    with pytest.raises(ApiVersionError, match=r"acme.*'v2'.*'v1'") as caught:
        load(installed(GROUP)[0])
    assert (caught.value.declared, caught.value.required) == ("v2", "v1")
    assert load(installed(GROUP)[0], require_api="v2").__name__ == "x"


def test_an_object_that_declares_no_version_is_v1(install):
    install("acme", entry_points=f"[{GROUP}]\nx = acme_silent:x\n", acme_silent="x = 1\n")
    assert load(installed(GROUP)[0]) == 1
    with pytest.raises(ApiVersionError, match=r"'v1'.*'v2'"):
        load(installed(GROUP)[0], "v2")


def test_importing_and_listing_leave_the_library_alone():
    script = (
        "import sys, codex_addons\n"
        "codex_addons.installed('codex_ml.models')\n"
        "assert 'importlib_metadata' not in sys.modules\n"
        "assert not [m for m in sys.modules if m.split('.')[0] in {'torch', 'hydra', 'omegaconf', 'codex_ml'}]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_canonical_names_compare_as_packaging_does():
    assert entry_points.canonical("My._-Pkg") == "my-pkg"


def test_what_may_be_used_is_what_is_installed_and_allowed(install, monkeypatch):
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    install("Beta.Tools", entry_points=f"[{GROUP}]\ny = m:b\n")
    assert list(available(GROUP)) == ["x", "y"]
    monkeypatch.setenv("CODEX_ML_PLUGINS_DENY", "other, beta_tools ,")
    assert list(available(GROUP)) == ["x"]
    monkeypatch.setenv("CODEX_ML_PLUGINS_ALLOW", "beta-tools,acme")
    assert list(available(GROUP)) == ["x"]
    monkeypatch.delenv("CODEX_ML_PLUGINS_DENY")
    monkeypatch.setenv("CODEX_ML_PLUGINS_ALLOW", "BETA-TOOLS")
    assert list(available(GROUP)) == ["y"]
    assert [each.name for each in installed(GROUP)] == ["x", "y"]


def test_what_is_not_allowed_shadows_nothing(install, monkeypatch):
    install("alpha", entry_points=f"[{GROUP}]\nshared1 = m:a\n")
    install("beta", entry_points=f"[{GROUP}]\nshared1 = m:b\n")
    monkeypatch.setenv("CODEX_ML_PLUGINS_DENY", "alpha")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert available(GROUP)["shared1"].distribution == "beta"


def test_neither_list_speaks_of_the_own_distribution(monkeypatch):
    monkeypatch.setenv("CODEX_ML_PLUGINS_ALLOW", "acme")
    monkeypatch.setenv("CODEX_ML_PLUGINS_DENY", "codex-ml")
    assert refusal("Codex_ML") == ""
    assert refusal("codex_ml", own="acme") == "CODEX_ML_PLUGINS_DENY names codex_ml"
    assert refusal("beta") == "CODEX_ML_PLUGINS_ALLOW does not name beta"


def test_what_is_not_allowed_is_not_loaded(install, monkeypatch):
    from codex_addons.registry import Registry

    install("acme", entry_points=f"[{GROUP}]\nx = acme_denied:x\n", acme_denied="raise SystemExit")
    monkeypatch.setenv("CODEX_ML_PLUGINS_DENY", "acme")
    assert Registry("things").load_from_entry_points(GROUP) == (0, {})
