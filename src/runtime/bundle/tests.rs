//! Bundles of a small package: split, joined and installed, and every kind of damage told before anything is installed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde_json::Value;

use super::manifest::{FILE, Manifest};
use super::size::PartSize;
use super::{Bundle, must_be_empty, pack, parts, place};
use crate::exit::Reason;
use crate::runtime::catalogue::{Client, Library, Member, Package};
use crate::runtime::error::RuntimeError;
use crate::runtime::install::{Installed, Source, install_package};
use crate::runtime::{failure, unpack};

const MEMBERS: &[Member] = &[Member { path: "capi/libtest.so", name: "libtest.so" }];
/// The parts of the test's bundle but for the last.
const PART_BYTES: u64 = 100;

fn library() -> Vec<u8> {
    (0..300_u32).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect()
}

/// A bundle of one small wheel, the package that pins it, and a folder to install to.
struct Given {
    folder: tempfile::TempDir,
    package: &'static Package,
}

impl Given {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("wheel");
        let mut wheel = zip::ZipWriter::new(File::create(&archive).unwrap());
        let stored =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        wheel.start_file(MEMBERS[0].path, stored).unwrap();
        wheel.write_all(&library()).unwrap();
        wheel.finish().unwrap();
        let sha256 = unpack::checksum(&archive, &ProgressBar::hidden()).unwrap();
        let package: &'static Package = Box::leak(Box::new(Package {
            library: Library::OnnxRuntime,
            version: "9.9.9",
            spec: "test==9.9.9",
            client: Client::Pip { platform: "any" },
            sha256: Box::leak(sha256.into_boxed_str()),
            archive_bytes: fs::metadata(&archive).unwrap().len(),
            unpacked_bytes: 300,
            members: MEMBERS,
        }));
        let (staged, dir) = (folder.path().join("staged"), folder.path().join("bundle"));
        fs::create_dir(&staged).unwrap();
        fs::create_dir(&dir).unwrap();
        let packed = pack(package, &archive, (&staged, PartSize::tiny(PART_BYTES))).unwrap();
        assert!(packed.parts.len() > 3, "{packed:?}");
        place(&Manifest::of_this_machine(vec![packed]), &staged, &dir).unwrap();
        Self { folder, package }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("bundle")
    }

    fn runtime(&self) -> PathBuf {
        self.folder.path().join("runtime")
    }

    /// Opens and checks the bundle, as `windvane runtime install --from-bundle` does before it installs.
    fn checked(&self) -> Result<Bundle, RuntimeError> {
        let bundle = Bundle::open(&self.dir())?;
        bundle.check(&[self.package])?;
        Ok(bundle)
    }

    /// Asserts that the bundle is refused as wrong data, in one line with these words.
    fn is_refused(&self, what: &str, words: &str) {
        let failure = failure(self.checked().expect_err(what));
        let told = failure.to_string();
        assert!(told.contains(words) && !told.contains('\n'), "{what}: {told}");
        assert!(told.contains("nothing was installed") || words.contains("no bundle"), "{what}: {told}");
        assert_eq!(failure.reason, Reason::Data, "{what}");
    }
}

/// Folders that hold an installed library, without locks.
fn installed(runtime: &Path) -> Vec<String> {
    let entries = fs::read_dir(runtime).unwrap().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with(".lock-"));
    names
}

/// What is done to a manifest.
type Damage = fn(&mut Value);

#[test]
fn parts_join_to_what_was_split() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    for length in [0_u64, 1, 99, 100, 101, 290] {
        let bytes = library()[..usize::try_from(length).unwrap()].to_vec();
        fs::write(&archive, &bytes).unwrap();
        for size in [60, 100, 1000, u64::MAX] {
            let into = tempfile::tempdir().unwrap();
            let split = parts::split(&archive, (into.path(), "a-1"), PartSize::tiny(size)).unwrap();
            assert_eq!(split.len() as u64, length.div_ceil(size), "{length} bytes in parts of {size}");
            let mut joined = Vec::new();
            for part in &split {
                let bytes = fs::read(into.path().join(&part.file)).unwrap();
                assert_eq!(bytes.len() as u64, part.bytes);
                assert!(part.bytes <= size, "{part:?}");
                joined.extend(bytes);
            }
            assert_eq!(joined, bytes, "{length} bytes in parts of {size}");
        }
    }
}

#[test]
fn names_of_parts_are_told_from_other_files() {
    assert_eq!(parts::name("libchdb-26.7.3-stable.1", 7), "libchdb-26.7.3-stable.1.007");
    for (name, is_part) in [
        ("libchdb-26.7.3-stable.1.007", true),
        ("onnxruntime-1.31.1.1000", true),
        ("onnxruntime-1.31.1", false),
        ("README.md", false),
        (FILE, false),
        (".staging", false),
        ("007", false),
    ] {
        assert_eq!(parts::is_name(name), is_part, "{name}");
    }
}

#[test]
fn a_bundle_installs_what_was_bundled() {
    let given = Given::new();
    // What people and systems leave beside is no part.
    fs::write(given.dir().join("README.txt"), "from the office").unwrap();
    let bundle = given.checked().unwrap();
    let runtime = given.runtime();
    let (path, now) = install_package(given.package, &runtime, Source::Bundle(&bundle)).unwrap();
    assert_eq!((fs::read(&path).unwrap(), now), (library(), Installed::Now));
    assert_eq!(installed(&runtime), ["onnxruntime-9.9.9"]);
    let again = install_package(given.package, &runtime, Source::Bundle(&bundle)).unwrap();
    assert_eq!(again, (path, Installed::Already));
}

#[test]
fn a_damaged_part_is_told() {
    let part = |given: &Given, number: usize| given.dir().join(parts::name("onnxruntime-9.9.9", number));
    let given = Given::new();
    fs::remove_file(part(&given, 2)).unwrap();
    given.is_refused("missing", "part `onnxruntime-9.9.9.002` of bundle");

    let given = Given::new();
    fs::write(part(&given, 1), [0_u8; 10]).unwrap();
    given.is_refused("short", "has 10 bytes, expected 100; copy it again");

    let given = Given::new();
    let mut file = File::options().append(true).open(part(&given, 3)).unwrap();
    file.write_all(b"more").unwrap();
    given.is_refused("long", "has 104 bytes, expected 100; copy it again");

    let given = Given::new();
    let mut bytes = fs::read(part(&given, 2)).unwrap();
    bytes[50] ^= 1;
    fs::write(part(&given, 2), bytes).unwrap();
    given.is_refused("changed", "part `onnxruntime-9.9.9.002` of bundle");

    let given = Given::new();
    fs::rename(part(&given, 1), part(&given, 9)).unwrap();
    fs::rename(part(&given, 2), part(&given, 1)).unwrap();
    fs::rename(part(&given, 9), part(&given, 2)).unwrap();
    given.is_refused("swapped", "part `onnxruntime-9.9.9.001` of bundle");

    let given = Given::new();
    fs::write(given.dir().join("onnxruntime-9.9.8.001"), "of another bundle").unwrap();
    given.is_refused("foreign", "`onnxruntime-9.9.8.001` in");
}

/// Changes the manifest of a bundle.
fn edit(given: &Given, change: impl FnOnce(&mut Value)) {
    let path = given.dir().join(FILE);
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(&path, manifest.to_string()).unwrap();
}

#[test]
fn a_manifest_that_does_not_fit_is_told() {
    let given = Given::new();
    fs::remove_file(given.dir().join(FILE)).unwrap();
    given.is_refused("none", "is no bundle: it has no manifest.json");

    let given = Given::new();
    fs::write(given.dir().join(FILE), "{\"schema\": \"windvane.runtime_bundle/1\"").unwrap();
    given.is_refused("cut off", "cannot read manifest.json of bundle");

    let cases: [(&str, Damage, &str); 8] = [
        (
            "another schema",
            |it| it["schema"] = "windvane.runtime_bundle/2".into(),
            "accepted is `windvane.runtime_bundle/1`",
        ),
        ("another platform", |it| it["os"] = "plan9".into(), "is for plan9 on "),
        (
            "a way out of the folder",
            |it| it["packages"][0]["parts"][0]["file"] = "../wheel".into(),
            "names the part `../wheel` where",
        ),
        (
            "a package with a way out",
            |it| it["packages"][0]["version"] = "../9".into(),
            "which is no file's name",
        ),
        ("sizes that do not add up", |it| it["packages"][0]["bytes"] = 5.into(), "do not add up"),
        (
            "no package",
            |it| it["packages"] = Value::Array(Vec::new()),
            "lacks onnxruntime (it has no package)",
        ),
        ("another archive", |it| it["packages"][0]["sha256"] = "00".into(), "has onnxruntime 9.9.9 (00)"),
        (
            "a part of another sum",
            |it| it["packages"][0]["parts"][3]["sha256"] = "00".into(),
            "expected 00; copy it again",
        ),
    ];
    for (what, change, words) in cases {
        let given = Given::new();
        edit(&given, change);
        given.is_refused(what, words);
    }
}

#[test]
fn a_forged_bundle_that_agrees_with_itself_is_refused_by_the_pinned_sum() {
    let given = Given::new();
    let forged = given.folder.path().join("forged");
    fs::write(&forged, [0_u8; 100]).unwrap();
    let sha256 = unpack::checksum(&forged, &ProgressBar::hidden()).unwrap();
    fs::copy(&forged, given.dir().join("onnxruntime-9.9.9.002")).unwrap();
    edit(&given, |manifest| manifest["packages"][0]["parts"][1]["sha256"] = sha256.into());
    given.is_refused("forged", &format!("expected {}; nothing was installed", given.package.sha256));
}

#[test]
fn a_part_that_changes_after_the_check_is_not_installed() {
    let given = Given::new();
    let bundle = given.checked().unwrap();
    fs::write(given.dir().join("onnxruntime-9.9.9.002"), [0_u8; 100]).unwrap();
    let error = install_package(given.package, &given.runtime(), Source::Bundle(&bundle)).unwrap_err();
    assert!(matches!(error, RuntimeError::Checksum { .. }), "{error}");
    assert_eq!(installed(&given.runtime()), Vec::<String>::new());
}

#[test]
fn a_bundle_is_not_written_over_something_else() {
    let folder = tempfile::tempdir().unwrap();
    must_be_empty(folder.path()).unwrap();
    // What an interrupted command left is in nobody's way.
    fs::create_dir(folder.path().join(".staging")).unwrap();
    must_be_empty(folder.path()).unwrap();
    fs::write(folder.path().join("photo.jpg"), "").unwrap();
    let failure = failure(must_be_empty(folder.path()).unwrap_err());
    assert_eq!(failure.reason, Reason::Usage);
    assert!(failure.to_string().contains("holds `photo.jpg`"), "{failure}");
}
