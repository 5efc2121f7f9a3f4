//! Images.

use super::*;

/// What it was made of stays as it is, and others boot from what was taken.
pub async fn a_captured_machine_is_an_image_of_one_layer_more(world: impl World) {
    let network = launched(&world, &[("i-1", "10.0.1.10", "web")]).await;
    let (driver, base) = (world.driver(), world.driver().image(world.image()).await.unwrap());
    let taken = driver.capture(&"i-1".into(), "taken").await.unwrap();
    assert!(driver.observe(&"i-1".into()).await.unwrap().is_running(), "it goes on");
    assert_ne!(taken.id, base.id);
    assert_eq!((taken.layers.len(), &taken.layers[..base.layers.len()]), (base.layers.len() + 1, &base.layers[..]));
    assert!(
        matches!(&taken.source, ImageSource::Capture { machine, parent } if machine == "i-1" && *parent == base.id),
        "{taken:?}"
    );
    assert_eq!(driver.image(world.image()).await.unwrap(), base);
    assert_eq!(driver.image(&taken.id).await.unwrap(), taken);
    driver.apply_network(&with(network, "10.0.1.11", &["web"], machine("i-2"))).await.unwrap();
    let second = MachineSpec { image: taken.id.clone(), ..spec(&world, "i-2", "10.0.1.11") };
    driver.launch(second).await.unwrap();
    // A machine keeps what it needs when its image goes.
    driver.delete_image(&taken.id).await.unwrap();
    driver.reboot(&"i-2".into()).await.unwrap();
    answers(&world, "10.0.1.11").await.unwrap();
    world.ends().await;
}

pub async fn an_image_is_whole_until_it_is_deleted(world: impl World) {
    let (driver, id) = (world.driver(), world.image().clone());
    driver.verify_image(&id).await.unwrap();
    assert!(driver.images().await.unwrap().iter().any(|image| image.id == id));
    let held = driver.hold_images().await;
    let refused = driver.delete_image(&id).await;
    assert!(matches!(refused, Err(DriverError::Conflict { .. })), "somebody copies it: {refused:?}");
    driver.verify_image(&id).await.unwrap();
    drop(held);
    for _ in 0..2 {
        driver.delete_image(&id).await.unwrap();
        assert!(driver.image(&id).await.is_err_and(|e| e.is_not_found()));
        assert!(!driver.images().await.unwrap().iter().any(|image| image.id == id));
    }
    driver.apply_network(&with(vpc(), "10.0.1.10", &["web"], machine("i-1"))).await.unwrap();
    let refused = driver.launch(spec(&world, "i-1", "10.0.1.10")).await;
    assert!(refused.as_ref().is_err_and(|e| e.is_not_found()), "{refused:?}");
    world.ends().await;
}
