//! Images: captured, imported, refused when they are not what they say.

use crate::given::*;
use kiln_machines_spec::*;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_machine_is_an_image_others_boot_from() {
    let given = given().await;
    let network = given.launch(&[("i-1", "10.0.1.10", &["web"])]).await;
    let change = "echo changed > /www/index.html; echo x > /new; /bin/busybox rm /bin/wget; \
                  /bin/busybox chown 33:44 /new";
    given.out("i-1", change).await;
    let captured = given.driver.capture(&"i-1".into(), "second").await.unwrap();
    assert_eq!(captured.layers.len(), 2);
    let answer = given.get(None, "10.0.1.10:80").await.unwrap();
    assert!(answer.contains("changed"), "the machine goes on: {answer}");
    let network = with(network, "10.0.1.11", &["web"], machine("i-2"));
    given.driver.apply_network(&network).await.unwrap();
    let mut spec = given.spec("i-2", "10.0.1.11");
    spec.image = captured.id.clone();
    given.driver.launch(spec).await.unwrap();
    let answer = given.get(None, "10.0.1.11:80").await.unwrap();
    assert!(answer.contains("changed"), "{answer}");
    let seen = given.out("i-2", "/bin/busybox stat -c %u:%g /new; ls /bin").await;
    assert!(seen.starts_with("33:44\n"), "{seen}");
    assert!(!seen.contains("wget"), "what was removed stays removed: {seen}");
    // A machine keeps what it needs after its image was deleted.
    given.driver.delete_image(&captured.id).await.unwrap();
    given.driver.reboot(&"i-2".into()).await.unwrap();
    assert!(given.get(None, "10.0.1.11:80").await.is_ok());
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_layer_is_refused_by_name() {
    let given = given().await;
    given.driver.apply_network(&with(vpc(), "10.0.1.10", &["web"], machine("i-1"))).await.unwrap();
    let image = given.driver.image(&given.image).await.unwrap();
    let layer = &image.layers[0].digest;
    let file = given.state().join(format!("images/layers/{layer}.erofs"));
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let error = given.driver.launch(given.spec("i-1", "10.0.1.10")).await.unwrap_err();
    assert!(matches!(error, DriverError::CorruptLayer { .. }), "{error:?}");
    assert!(error.to_string().contains(layer.as_str()), "{error}");
    let error = given.driver.verify_image(&given.image).await.unwrap_err();
    assert!(matches!(error, DriverError::CorruptLayer { .. }), "{error:?}");
    assert!(given.driver.list().await.unwrap().is_empty());
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_archive_is_taken_in_with_its_deletions() {
    let given = given().await;
    let work = given.state().with_file_name("archive");
    for dir in ["one/bin", "one/etc", "one/www", "two/bin", "two/www"] {
        std::fs::create_dir_all(work.join(dir)).unwrap();
    }
    busybox_tree(&work.join("one"));
    std::fs::write(work.join("two/bin/.wh.wget"), "").unwrap();
    std::fs::write(work.join("two/www/.wh..wh..opq"), "").unwrap();
    std::fs::write(work.join("two/www/other.html"), "other").unwrap();
    let config = r#"{"architecture":"amd64","config":{"Entrypoint":["/bin/sh","-c"],
        "Cmd":["echo started as $(id -u):$(id -g) with $COLOUR; exec /bin/sleep 1000"],
        "Env":["COLOUR=blue"],"User":"web","WorkingDir":"/www"}}"#;
    std::fs::write(work.join("config.json"), config).unwrap();
    std::fs::write(
        work.join("manifest.json"),
        r#"[{"Config":"config.json","RepoTags":["x"],"Layers":["one.tar","two.tar"]}]"#,
    )
    .unwrap();
    let tar = |args: &[&str]| {
        assert!(Command::new("tar").current_dir(&work).args(args).status().unwrap().success());
    };
    tar(&["-cf", "one.tar", "-C", "one", "."]);
    tar(&["-cf", "two.tar", "-C", "two", "."]);
    tar(&["-cf", "../image.tar", "config.json", "manifest.json", "one.tar", "two.tar"]);
    let archive = work.with_file_name("image.tar");
    let image = given.driver.import_oci(&archive, "x", Arc::new(NoProgress)).await.unwrap();
    assert_eq!(image.layers.len(), 2);
    let again = given.driver.import_oci(&archive, "x", Arc::new(NoProgress)).await.unwrap();
    assert_eq!(again.id, image.id, "the same bytes are the same image");
    given.driver.apply_network(&with(vpc(), "10.0.1.10", &["web"], machine("i-1"))).await.unwrap();
    let mut spec = given.spec("i-1", "10.0.1.10");
    spec.image = image.id;
    given.driver.launch(spec).await.unwrap();
    let seen = given.out("i-1", "ls /bin /www").await;
    assert!(!seen.contains("wget") && !seen.contains("index.html"), "{seen}");
    assert!(seen.contains("other.html") && seen.contains("busybox"), "{seen}");
    let console = given.driver.console(&"i-1".into()).await.unwrap();
    let console = String::from_utf8_lossy(&console);
    assert!(console.contains("started as 33:44 with blue"), "{console}");
    given.ends().await;
}

/// An archive from anywhere: what its links lead to on the host comes into no image, and its pipes
/// keep nobody waiting.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_brings_in_no_file_of_the_hosts() {
    let given = given().await;
    let work = given.state().with_file_name("archive");
    std::fs::create_dir_all(work.join("secret/etc")).unwrap();
    std::fs::write(work.join("secret/etc/secret"), "of the host").unwrap();
    let run = |args: &[&str]| {
        assert!(Command::new("sh").current_dir(&work).args(["-c", &args.join(" ")]).status().unwrap().success())
    };
    run(&["tar -cf host.tar -C secret ."]);
    let manifest = r#"[{"Config":"config.json","RepoTags":["x"],"Layers":["one.tar"]}]"#;
    let config = r#"{"architecture":"amd64","config":{"Cmd":["/bin/sh"]}}"#;
    let host = work.join("host.tar").display().to_string();
    let attacks = [
        ("a layer that leads to the host", format!("ln -s {host} one.tar; echo '{config}' > config.json")),
        (
            "one that leads out of the archive",
            format!("ln -s ../../../../../../../../{host} one.tar; echo '{config}' > config.json"),
        ),
        (
            "a config that leads to the host",
            format!("cp {host} one.tar; ln -s {} config.json", work.join("host.json").display()),
        ),
        ("a pipe for a config", format!("cp {host} one.tar; mkfifo config.json")),
        ("a pipe for a layer", format!("mkfifo one.tar; echo '{config}' > config.json")),
    ];
    std::fs::write(work.join("host.json"), config).unwrap();
    for (n, (what, script)) in attacks.iter().enumerate() {
        let dir = format!("a{n}");
        run(&[&format!("mkdir {dir}; cd {dir}; {script}; echo '{manifest}' > manifest.json; tar -cf ../{dir}.tar .")]);
        let archive = work.join(format!("{dir}.tar"));
        let import = given.driver.import_oci(&archive, "x", Arc::new(NoProgress));
        let done = tokio::time::timeout(std::time::Duration::from_secs(20), import).await;
        let error = done.unwrap_or_else(|_| panic!("{what}: somebody waits")).expect_err(what);
        assert!(!error.chain().contains("of the host"), "{what}: {}", error.chain());
    }
    // The same without a link is an image.
    run(&[&format!(
        "mkdir plain; cd plain; cp {host} one.tar; echo '{config}' > config.json; echo '{manifest}' > manifest.json"
    )]);
    run(&["tar -cf plain.tar -C plain ."]);
    let image = given.driver.import_oci(&work.join("plain.tar"), "x", Arc::new(NoProgress)).await.unwrap();
    assert_eq!(image.layers.len(), 1);
    given.ends().await;
}

/// A device file in an image opens nothing, whoever made it.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_in_an_image_is_a_name_only() {
    use nix::sys::stat::{Mode, SFlag, makedev, mknod};
    let given = given().await;
    let root = given.state().with_file_name("root");
    for (name, kind, device) in [
        ("null", SFlag::S_IFCHR, makedev(1, 3)),
        ("mem", SFlag::S_IFCHR, makedev(1, 1)),
        ("disk", SFlag::S_IFBLK, makedev(7, 0)),
    ] {
        mknod(&root.join(name), kind, Mode::from_bits_truncate(0o666), device).unwrap();
        std::os::unix::fs::chown(root.join(name), Some(0), Some(0)).unwrap();
    }
    let entry = given.driver.image(&given.image).await.unwrap().entry;
    let image = given.driver.import_directory(&root, "devices", entry).await.unwrap();
    given.driver.apply_network(&with(vpc(), "10.0.1.10", &["web"], machine("i-1"))).await.unwrap();
    let mut spec = given.spec("i-1", "10.0.1.10");
    spec.image = image.id;
    given.driver.launch(spec).await.unwrap();
    for name in ["null", "mem", "disk"] {
        let opened = given.sh("i-1", &format!("ls /{name} && : < /{name}")).await;
        assert!(opened.code != 0 && !opened.stdout.is_empty(), "{name} is there and is opened");
        // Nor through another mount of the same tree.
        let again =
            format!("/bin/busybox mkdir -p /m && mount -o bind / /m; mount -o remount,dev,bind /m; : < /m/{name}");
        assert_ne!(given.sh("i-1", &again).await.code, 0, "{name}");
    }
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_in_one_line() {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    let given = given().await;
    let small = given.state().with_file_name("small");
    std::fs::create_dir(&small).unwrap();
    let none = None::<&str>;
    mount(none, &small, Some("tmpfs"), MsFlags::empty(), Some("size=2m,mode=711")).unwrap();
    let driver = open(&small.join("state")).await;
    // 8 MiB that cannot be packed any smaller.
    let noise: Vec<u8> = (0u64..1 << 20).flat_map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes()).collect();
    let root = given.state().with_file_name("noise");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("noise"), noise).unwrap();
    let result = driver.import_directory(&root, "noise", Entry::Systemd).await;
    let images = driver.images().await.unwrap();
    driver.shutdown(false).await.unwrap();
    drop(driver);
    umount2(&small, MntFlags::MNT_DETACH).unwrap();
    let error = result.unwrap_err();
    assert!(matches!(error, DriverError::NoSpace { .. }), "{error:?}");
    assert!(!error.to_string().contains('\n'), "{error}");
    assert!(images.is_empty(), "nothing half made is listed");
    given.ends().await;
}
