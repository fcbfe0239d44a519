//! Which native library comes from which package, on which platform, with which checksum.

use std::fmt;

/// A native library that Windvane loads at run time and never links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// The embedded ClickHouse engine.
    Chdb,
    /// ONNX Runtime for the CPU.
    OnnxRuntime,
    /// ONNX Runtime with the CUDA and TensorRT providers.
    OnnxRuntimeGpu,
}

impl Library {
    /// Every library, in the order `runtime status` prints them.
    pub const ALL: [Self; 3] = [Self::Chdb, Self::OnnxRuntime, Self::OnnxRuntimeGpu];

    /// The environment variable that names a library file to use instead of the installed one.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Chdb => "WINDVANE_LIBCHDB",
            Self::OnnxRuntime | Self::OnnxRuntimeGpu => "ORT_DYLIB_PATH",
        }
    }

    /// The command that installs it.
    pub fn install_command(self) -> &'static str {
        match self {
            Self::Chdb | Self::OnnxRuntime => "windvane runtime install",
            Self::OnnxRuntimeGpu => "windvane runtime install --gpu",
        }
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chdb => "libchdb",
            Self::OnnxRuntime => "onnxruntime",
            Self::OnnxRuntimeGpu => "onnxruntime-gpu",
        })
    }
}

/// The user's own client that fetches a package, so that mirrors, proxies and credentials of the user apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// `npm pack`: the archive is a gzipped tar.
    Npm,
    /// `pip download --no-deps`: the archive is a wheel (zip) for this platform tag.
    Pip {
        /// The wheel's platform tag, picked explicitly because the binary may run beside another Python.
        platform: &'static str,
    },
}

impl Client {
    /// The program that is started.
    pub fn program(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pip { .. } => "pip",
        }
    }
}

/// One file that is taken out of an archive.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its path in the archive.
    pub path: &'static str,
    /// Its name in the installed folder.
    pub name: &'static str,
}

/// One package of one platform, pinned.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// Which library it carries.
    pub library: Library,
    /// The library's version, part of the installed folder's name.
    pub version: &'static str,
    /// The package and version in the client's own syntax.
    pub spec: &'static str,
    /// Which client fetches it.
    pub client: Client,
    /// SHA-256 of the archive, in hex.
    pub sha256: &'static str,
    /// Bytes of the archive, for progress and for the disk check.
    pub archive_bytes: u64,
    /// Bytes of the unpacked members.
    pub unpacked_bytes: u64,
    /// What is unpacked; the first member is the library that is loaded.
    pub members: &'static [Member],
}

impl Package {
    /// The name of the installed folder.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.library, self.version)
    }

    /// The file name of the library that is loaded.
    pub fn library_file(&self) -> &'static str {
        self.members[0].name
    }
}

const CHDB_VERSION: &str = "26.7.3-stable.1";
const ORT_VERSION: &str = "1.31.1";

const ORT_LINUX_MEMBERS: &[Member] = &[
    Member { path: "onnxruntime/capi/libonnxruntime.so.1.31.1", name: "libonnxruntime.so.1.31.1" },
    Member {
        path: "onnxruntime/capi/libonnxruntime_providers_shared.so",
        name: "libonnxruntime_providers_shared.so",
    },
    Member { path: "onnxruntime/LICENSE", name: "LICENSE" },
    Member { path: "onnxruntime/ThirdPartyNotices.txt", name: "ThirdPartyNotices.txt" },
];

const ORT_GPU_MEMBERS: &[Member] = &[
    Member { path: "onnxruntime/capi/libonnxruntime.so.1.31.1", name: "libonnxruntime.so.1.31.1" },
    Member {
        path: "onnxruntime/capi/libonnxruntime_providers_shared.so",
        name: "libonnxruntime_providers_shared.so",
    },
    Member {
        path: "onnxruntime/capi/libonnxruntime_providers_cuda.so",
        name: "libonnxruntime_providers_cuda.so",
    },
    Member {
        path: "onnxruntime/capi/libonnxruntime_providers_tensorrt.so",
        name: "libonnxruntime_providers_tensorrt.so",
    },
    Member { path: "onnxruntime/LICENSE", name: "LICENSE" },
    Member { path: "onnxruntime/ThirdPartyNotices.txt", name: "ThirdPartyNotices.txt" },
];

const ORT_MACOS_MEMBERS: &[Member] = &[
    Member { path: "onnxruntime/capi/libonnxruntime.1.31.1.dylib", name: "libonnxruntime.1.31.1.dylib" },
    Member { path: "onnxruntime/LICENSE", name: "LICENSE" },
    Member { path: "onnxruntime/ThirdPartyNotices.txt", name: "ThirdPartyNotices.txt" },
];

/// The packages of each platform, keyed by operating system and processor as Rust names them. Linux on x86-64 is tested;
/// the wheels of the other platforms are pinned by checksum and mapped.
const PACKAGES: &[(&str, &str, Package)] = &[
    (
        "linux",
        "x86_64",
        Package {
            library: Library::Chdb,
            version: CHDB_VERSION,
            spec: "@chdb/lib-linux-x64-gnu@26.7.3-stable.1",
            client: Client::Npm,
            sha256: "c0d32b129e988f2b9a9a31c9141aecf5e1e2453f9a079efc4d36ab8e3f92b2ad",
            archive_bytes: 177_817_999,
            unpacked_bytes: 593_000_000,
            members: &[Member { path: "package/libchdb.so", name: "libchdb.so" }],
        },
    ),
    (
        "linux",
        "x86_64",
        Package {
            library: Library::OnnxRuntime,
            version: ORT_VERSION,
            spec: "onnxruntime==1.31.1",
            client: Client::Pip { platform: "manylinux_2_28_x86_64" },
            sha256: "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
            archive_bytes: 23_760_988,
            unpacked_bytes: 29_705_000,
            members: ORT_LINUX_MEMBERS,
        },
    ),
    (
        "linux",
        "x86_64",
        Package {
            library: Library::OnnxRuntimeGpu,
            version: ORT_VERSION,
            spec: "onnxruntime-gpu==1.31.1",
            client: Client::Pip { platform: "manylinux_2_28_x86_64" },
            sha256: "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
            archive_bytes: 255_569_273,
            unpacked_bytes: 315_000_000,
            members: ORT_GPU_MEMBERS,
        },
    ),
    (
        "linux",
        "aarch64",
        Package {
            library: Library::OnnxRuntime,
            version: ORT_VERSION,
            spec: "onnxruntime==1.31.1",
            client: Client::Pip { platform: "manylinux_2_28_aarch64" },
            sha256: "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
            archive_bytes: 21_000_000,
            unpacked_bytes: 26_000_000,
            members: ORT_LINUX_MEMBERS,
        },
    ),
    (
        "macos",
        "aarch64",
        Package {
            library: Library::OnnxRuntime,
            version: ORT_VERSION,
            spec: "onnxruntime==1.31.1",
            client: Client::Pip { platform: "macosx_14_0_arm64" },
            sha256: "96dd2564b10ea7153ad9c207e7cd8e5917cb3ba521e0e0a62ac03486fdc8d56c",
            archive_bytes: 19_000_000,
            unpacked_bytes: 33_500_000,
            members: ORT_MACOS_MEMBERS,
        },
    ),
];

/// The package of a library for an operating system and processor, both as [`std::env::consts`] names them. `None` means
/// that no package of the pinned version was published for that platform.
pub fn package(library: Library, os: &str, arch: &str) -> Option<&'static Package> {
    PACKAGES
        .iter()
        .find(|(package_os, package_arch, package)| {
            *package_os == os && *package_arch == arch && package.library == library
        })
        .map(|(_, _, package)| package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_on_x86_64_has_every_library() {
        for library in Library::ALL {
            let package = package(library, "linux", "x86_64").unwrap();
            assert_eq!(package.library, library);
            assert_eq!(package.sha256.len(), 64, "{library}");
        }
    }

    #[test]
    fn no_two_packages_share_a_platform_and_a_library() {
        for (i, (os, arch, a)) in PACKAGES.iter().enumerate() {
            for (other_os, other_arch, b) in &PACKAGES[i + 1..] {
                assert!(
                    !(os == other_os && arch == other_arch && a.library == b.library),
                    "{os} {arch} {}",
                    a.library
                );
            }
        }
    }

    #[test]
    fn the_loaded_library_comes_first() {
        for (_, _, package) in PACKAGES {
            assert!(package.library_file().starts_with("lib"), "{}", package.spec);
        }
    }

    #[test]
    fn an_unmapped_platform_has_no_package() {
        assert!(package(Library::Chdb, "plan9", "mips").is_none());
    }
}
