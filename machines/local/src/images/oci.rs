//! Images made elsewhere: an OCI layout (folder or archive) or a docker archive.
//!
//! Each tar layer becomes one EROFS layer. "This was deleted" is written as
//! `.wh.NAME` in a tar and as a 0/0 device in an overlay; it is rewritten here.

use super::layers::{PackOptions, digest_of};
use super::store::ImageStore;
use super::unpack::{COMPRESSED, untar};
use crate::host::files;
use kiln_machines_spec::{
    DriverError, DriverResult, Entry, ImageManifest, ImageSource, LayerDigest, LayerRef, Program, Progress,
};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Component, Path, PathBuf};

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
}

/// A manifest, or an index again (of several architectures).
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    architecture: String,
    #[serde(default)]
    config: Option<RunConfig>,
    #[serde(default)]
    rootfs: RootFs,
}

#[derive(Deserialize, Default)]
struct RootFs {
    /// Digests of the layers' tar files before compression.
    #[serde(default)]
    diff_ids: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct RunConfig {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
}

/// Takes an image in from a registry.
pub fn import_from_registry(
    store: &ImageStore,
    reference: &str,
    credentials: Option<&Path>,
    name: &str,
    progress: &dyn Progress,
) -> DriverResult<ImageManifest> {
    let work = store.work_dir("registry")?;
    let layout = work.join("layout");
    let pulled = super::registry::pull(reference, credentials, &layout, &work, progress);
    let done = pulled.and_then(|()| import_in(store, &layout, reference, name, progress, &work));
    files::remove_all(&work)?;
    done
}

/// Takes an image in.
pub fn import(store: &ImageStore, path: &Path, name: &str, progress: &dyn Progress) -> DriverResult<ImageManifest> {
    let work = store.work_dir("import")?;
    let done = import_in(store, path, &path.display().to_string(), name, progress, &work);
    files::remove_all(&work)?;
    done
}

fn import_in(
    store: &ImageStore,
    path: &Path,
    from: &str,
    name: &str,
    progress: &dyn Progress,
    work: &Path,
) -> DriverResult<ImageManifest> {
    let layout = if path.is_dir() {
        path.to_owned()
    } else {
        progress.step("opening the archive", None);
        let dir = work.join("archive");
        untar(path, &dir, false)?;
        dir
    };
    let (config_file, tars) = if inside(&layout, Path::new("index.json"))?.is_some() {
        read_layout(&layout)?
    } else if inside(&layout, Path::new("manifest.json"))?.is_some() {
        read_docker(&layout)?
    } else {
        return Err(DriverError::Invalid(format!(
            "{} is neither an OCI layout (index.json) nor a docker archive (manifest.json)",
            path.display()
        )));
    };
    let config: Config = read_json(&config_file)?;
    progress.step("comparing the layers with their digests", None);
    for (tar, promised) in tars.iter().zip(&config.rootfs.diff_ids) {
        check_plain(path, tar, promised)?;
    }
    let mut layers: Vec<LayerRef> = Vec::new();
    for (n, tar) in tars.iter().enumerate() {
        let fraction = n as f32 / tars.len() as f32;
        let text = format!("layer {} of {}", n + 1, tars.len());
        progress.step(&text, Some(fraction));
        let dir = work.join(format!("layer-{n}"));
        untar(tar, &dir, true)?;
        rewrite_whiteouts(&dir)?;
        layers.push(store.pack(&dir, PackOptions::default())?);
        files::remove_all(&dir)?;
    }
    if layers.is_empty() {
        return Err(DriverError::Invalid("the image has no layers".to_owned()));
    }
    let entry = entry_of(config.config)?;
    let source = ImageSource::Import { from: from.to_owned() };
    progress.step("imported", Some(1.0));
    store.keep(name, layers, entry, &config.architecture, source)
}

/// Where a file of the image really is; none if there is none. Archives hold links, and a link must
/// not bring a file of the host's into an image.
fn inside(layout: &Path, way: &Path) -> DriverResult<Option<PathBuf>> {
    let failed = |e: io::Error| DriverError::failed(format!("read {} of the image", way.display()), e);
    let file = match files::open_inside(layout, way) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map(Some).map_err(failed)
}

fn read_needed<T: serde::de::DeserializeOwned>(layout: &Path, name: &str) -> DriverResult<T> {
    let found = inside(layout, Path::new(name))?;
    read_json(&found.ok_or_else(|| DriverError::Invalid(format!("the image lacks {name}")))?)
}

fn read_json<T: serde::de::DeserializeOwned>(file: &Path) -> DriverResult<T> {
    files::read_json(file)?.ok_or_else(|| DriverError::Invalid(format!("the image lacks {}", file.display())))
}

/// A blob's file, its bytes compared with its digest.
fn blob(layout: &Path, digest: &str) -> DriverResult<PathBuf> {
    let wrong = || DriverError::Invalid(format!("{digest:?} is no sha256 digest"));
    let hex = digest.strip_prefix("sha256:").ok_or_else(wrong)?;
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let file = inside(layout, &Path::new("blobs/sha256").join(hex))?;
    let file = file.ok_or_else(|| DriverError::Invalid(format!("the image lacks the blob {digest}")))?;
    let actual = digest_of(&file)?;
    if actual.as_str() != format!("sha256-{hex}") {
        return Err(corrupt(layout, digest, &actual));
    }
    Ok(file)
}

/// Compares a layer that is not compressed with the digest its image's config has for it: all
/// there is to go by in a docker archive. Those of a layout were compared as blobs.
fn check_plain(image: &Path, tar: &Path, promised: &str) -> DriverResult<()> {
    let mut start = Vec::new();
    let file = fs::File::open(tar).map_err(|e| DriverError::failed(format!("read {}", tar.display()), e))?;
    file.take(4).read_to_end(&mut start).map_err(|e| DriverError::failed(format!("read {}", tar.display()), e))?;
    let compressed = COMPRESSED.iter().any(|(magic, _)| start.starts_with(magic));
    let Some(hex) = promised.strip_prefix("sha256:").filter(|_| !compressed) else { return Ok(()) };
    let actual = digest_of(tar)?;
    if actual.as_str() == format!("sha256-{hex}") {
        return Ok(());
    }
    Err(corrupt(image, promised, &actual))
}

fn corrupt(image: &Path, layer: &str, actual: &LayerDigest) -> DriverError {
    DriverError::CorruptLayer {
        image: image.display().to_string(),
        layer: layer.to_owned(),
        actual: actual.to_string(),
        remedy: "fetch or build the image again".to_owned(),
    }
}

fn read_layout(layout: &Path) -> DriverResult<(PathBuf, Vec<PathBuf>)> {
    let index: Index = read_needed(layout, "index.json")?;
    let mut choices = index.manifests;
    // An index may lead to an index, but hardly to a deeper one.
    for _ in 0..4 {
        let chosen = choose(&choices)?;
        let manifest: Manifest = read_json(&blob(layout, &chosen.digest)?)?;
        let Some(config) = manifest.config else {
            choices = manifest.manifests;
            continue;
        };
        let layers = manifest.layers.iter().map(|l| blob(layout, &l.digest));
        return Ok((blob(layout, &config.digest)?, layers.collect::<DriverResult<_>>()?));
    }
    let deep = "the image's index leads to no manifest".to_owned();
    Err(DriverError::Invalid(deep))
}

fn choose(choices: &[Descriptor]) -> DriverResult<&Descriptor> {
    let ours = |d: &&Descriptor| {
        let platform = d.platform.as_ref();
        platform.is_none_or(|p| p.architecture == super::store::ARCHITECTURE)
    };
    choices.iter().find(ours).ok_or_else(|| {
        let ours = super::store::ARCHITECTURE;
        DriverError::Invalid(format!("the image is not made for {ours}"))
    })
}

fn read_docker(layout: &Path) -> DriverResult<(PathBuf, Vec<PathBuf>)> {
    let all: Vec<DockerManifest> = read_needed(layout, "manifest.json")?;
    let first = all.into_iter().next();
    let manifest = first.ok_or_else(|| DriverError::Invalid("the archive holds no image".to_owned()))?;
    let named = |name: &str| {
        let path = Path::new(name);
        let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
        if !plain {
            let text = format!("the archive names a file outside itself: {name:?}");
            return Err(DriverError::Invalid(text));
        }
        inside(layout, path)?.ok_or_else(|| DriverError::Invalid(format!("the image lacks {name}")))
    };
    let layers = manifest.layers.iter().map(|l| named(l));
    Ok((named(&manifest.config)?, layers.collect::<DriverResult<_>>()?))
}

fn rewrite_whiteouts(dir: &Path) -> DriverResult<()> {
    let failed = |e: io::Error| DriverError::failed(format!("read {}", dir.display()), e);
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == ".wh..wh..opq" {
            files::remove_all(&path)?;
            set_opaque(dir).map_err(failed)?;
        } else if let Some(gone) = name.strip_prefix(".wh.") {
            files::remove_all(&path)?;
            let at = dir.join(gone);
            mknod(&at, SFlag::S_IFCHR, Mode::empty(), makedev(0, 0)).map_err(|e| failed(e.into()))?;
        } else if kind.is_dir() {
            rewrite_whiteouts(&path)?;
        }
    }
    Ok(())
}

fn set_opaque(dir: &Path) -> io::Result<()> {
    use nix::libc;
    let path = crate::host::mounts::c_path(dir)?;
    let name = c"trusted.overlay.opaque";
    // SAFETY: valid C strings and one byte of value.
    let done = unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), c"y".as_ptr().cast(), 1, 0) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn entry_of(run: Option<RunConfig>) -> DriverResult<Entry> {
    let run = run.ok_or_else(|| DriverError::Invalid("the image does not say what to run (no config)".to_owned()))?;
    let argv: Vec<String> = [run.entrypoint, run.cmd].into_iter().flatten().flatten().collect();
    let Some(program) = argv.first() else {
        let text = "the image names no program to run (no Entrypoint and no Cmd)";
        return Err(DriverError::Invalid(text.to_owned()));
    };
    let inits = ["/sbin/init", "/usr/sbin/init", "/lib/systemd/systemd"];
    if inits.contains(&program.as_str()) || program.ends_with("/systemd/systemd") {
        return Ok(Entry::Systemd);
    }
    let mut env = BTreeMap::new();
    for pair in run.env.into_iter().flatten() {
        let (key, value) = pair.split_once('=').unwrap_or((&pair, ""));
        env.insert(key.to_owned(), value.to_owned());
    }
    Ok(Entry::Program(Program {
        argv,
        env,
        cwd: run.working_dir.filter(|dir| !dir.is_empty()),
        user: run.user.filter(|user| !user.is_empty()),
    }))
}
