//! A machine's life.

use super::*;

/// A second launch of what runs changes nothing.
pub async fn launched_twice_is_one_launch(world: impl World) {
    launched(&world, &[("i-1", "10.0.1.10", "web")]).await;
    let again = world.driver().launch(spec(&world, "i-1", "10.0.1.10")).await.unwrap();
    assert_eq!(again.boots, 1);
    assert_eq!(world.driver().observe(&"i-1".into()).await.unwrap(), again);
    answers(&world, "10.0.1.10").await.unwrap();
    world.ends().await;
}

/// A kill is an exit that nobody asked for: told once, seen by who looks, undone by a start alone.
pub async fn what_ends_by_itself_is_told_and_kept(world: impl World) {
    launched(&world, &[("i-1", "10.0.1.10", "web"), ("i-2", "10.0.1.11", "web")]).await;
    let id: MachineId = "i-1".into();
    let mut events = world.driver().events();
    world.driver().kill(&id).await.unwrap();
    let (told, exit) = next_exit(&mut events).await;
    assert_eq!((told, &exit.cause), (id.clone(), &ExitCause::Signalled { signal: 9 }));
    let seen = world.driver().observe(&id).await.unwrap();
    assert_eq!((seen.state, seen.boots), (MachineState::Exited(exit), 1));
    let again = world.driver().launch(spec(&world, "i-1", "10.0.1.10")).await;
    assert!(matches!(again, Err(DriverError::Conflict { .. })), "{again:?}");
    assert!(answers(&world, "10.0.1.10").await.is_err());
    let started = world.driver().start(&id).await.unwrap();
    assert_eq!((started.is_running(), started.boots), (true, 2));
    let running = world.driver().start(&id).await.unwrap();
    assert_eq!(running, started, "it runs already");
    answers(&world, "10.0.1.10").await.unwrap();
    world.driver().kill(&"i-2".into()).await.unwrap();
    assert_eq!(next_exit(&mut events).await.0, "i-2".into(), "the first was told once");
    world.ends().await;
}

/// What was asked for is no event: the first that is told after a stop is the next kill.
pub async fn what_is_stopped_keeps_its_place_and_starts_again(world: impl World) {
    launched(&world, &[("i-1", "10.0.1.10", "web")]).await;
    let id: MachineId = "i-1".into();
    let mut events = world.driver().events();
    for _ in 0..2 {
        world.driver().stop(&id, Duration::from_secs(5)).await.unwrap();
        let stopped = world.driver().observe(&id).await.unwrap();
        assert!(matches!(stopped.state, MachineState::Stopped { .. }), "{stopped:?}");
        assert!(answers(&world, "10.0.1.10").await.is_err());
    }
    let again = world.driver().launch(spec(&world, "i-1", "10.0.1.10")).await;
    assert!(matches!(again, Err(DriverError::Conflict { .. })), "{again:?}");
    assert_eq!(world.driver().start(&id).await.unwrap().boots, 2);
    answers(&world, "10.0.1.10").await.unwrap();
    world.driver().kill(&id).await.unwrap();
    assert_eq!(next_exit(&mut events).await.1.cause, ExitCause::Signalled { signal: 9 });
    world.ends().await;
}

/// A reboot is asked for, so it is no exit either.
pub async fn a_reboot_is_a_boot_more(world: impl World) {
    launched(&world, &[("i-1", "10.0.1.10", "web"), ("i-2", "10.0.1.11", "web")]).await;
    let mut events = world.driver().events();
    world.driver().reboot(&"i-1".into()).await.unwrap();
    let seen = world.driver().observe(&"i-1".into()).await.unwrap();
    assert_eq!((seen.is_running(), seen.boots), (true, 2));
    answers(&world, "10.0.1.10").await.unwrap();
    world.driver().kill(&"i-2".into()).await.unwrap();
    assert_eq!(next_exit(&mut events).await.0.as_str(), "i-2", "the first that is told");
    world.ends().await;
}

/// Whatever its state; and its name is free again.
pub async fn terminated_leaves_nothing_and_may_be_asked_twice(world: impl World) {
    launched(&world, &[("i-1", "10.0.1.10", "web"), ("i-2", "10.0.1.11", "web")]).await;
    world.driver().stop(&"i-2".into(), Duration::ZERO).await.unwrap();
    for id in ["i-1", "i-2", "i-1", "i-never"] {
        world.driver().terminate(&id.into()).await.unwrap();
        assert!(world.driver().observe(&id.into()).await.is_err_and(|e| e.is_not_found()), "{id}");
    }
    assert_eq!(world.driver().list().await.unwrap(), []);
    let anew = world.driver().launch(spec(&world, "i-1", "10.0.1.10")).await.unwrap();
    assert_eq!(anew.boots, 1);
    world.ends().await;
}

pub async fn machines_are_listed_in_the_order_of_their_ids(world: impl World) {
    launched(&world, &[("i-2", "10.0.1.11", "web"), ("i-1", "10.0.1.10", "web")]).await;
    world.driver().kill(&"i-2".into()).await.unwrap();
    let listed = world.driver().list().await.unwrap();
    assert_eq!(listed.iter().map(|status| status.spec.id.as_str()).collect::<Vec<_>>(), ["i-1", "i-2"]);
    for status in listed {
        // The second one's end may be told a moment after the call.
        if status.is_running() {
            assert_eq!(world.driver().observe(&status.spec.id).await.unwrap().spec, status.spec);
        }
    }
    world.ends().await;
}

/// Sizes change while it runs; user data only while it does not.
pub async fn what_is_set_is_seen(world: impl World) {
    launched(&world, &[("i-1", "10.0.1.10", "web")]).await;
    let id: MachineId = "i-1".into();
    world.driver().resize(&id, 0.5, 48 << 20, 50).await.unwrap();
    let spec = world.driver().observe(&id).await.unwrap().spec;
    assert_eq!((spec.cpus, spec.memory_bytes, spec.pids_max), (0.5, 48 << 20, 50));
    let refused = world.driver().set_user_data(&id, Some(b"x".to_vec())).await;
    assert!(matches!(refused, Err(DriverError::Conflict { .. })), "{refused:?}");
    world.driver().stop(&id, Duration::ZERO).await.unwrap();
    world.driver().set_user_data(&id, Some(b"x".to_vec())).await.unwrap();
    world.driver().start(&id).await.unwrap();
    assert_eq!(world.driver().observe(&id).await.unwrap().spec.user_data.as_deref(), Some(&b"x"[..]));
    world.ends().await;
}

/// The simulation has no processes: it says so instead of an answer.
pub async fn commands_run_or_are_refused_by_name(world: impl World) {
    async fn run<W: World>(world: &W) {
        let done = world.driver().exec(&"i-1".into(), ExecRequest::new(["/bin/echo", "here"])).await;
        match W::RUNS_COMMANDS {
            true => assert_eq!(done.unwrap().stdout, b"here\n"),
            false => assert!(matches!(done, Err(DriverError::Unsupported { .. })), "{done:?}"),
        }
        let used = world.driver().stats(&"i-1".into()).await;
        match W::RUNS_COMMANDS {
            true => {
                let used = used.unwrap();
                assert!(used.memory_bytes > Some(0), "{used:?}");
                assert!(used.disk_used_bytes > Some(0) && used.disk_used_bytes < used.disk_bytes, "{used:?}");
            }
            false => assert!(matches!(used, Err(DriverError::Unsupported { .. })), "{used:?}"),
        }
    }
    launched(&world, &[("i-1", "10.0.1.10", "web")]).await;
    run(&world).await;
    assert!(world.driver().console(&"i-1".into()).await.is_ok());
    world.ends().await;
}
