//! The control socket: what `kiln status`, `explain`, `logs`, `shell`, `fault` and `down` ask.
//! Only the owner of the state directory can open it.

use crate::control::{Control, Stop};
use crate::{explain, status};
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use kiln_machines_spec::MachineId;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use tokio::net::UnixListener;

/// Answers until the process ends.
pub async fn serve(socket: UnixListener, control: Arc<Control>) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                let control = control.clone();
                tokio::spawn(async move {
                    // Whoever asks for the end is answered before it comes.
                    let asked = Mutex::new(Stop::No);
                    let (of_control, of_asked) = (&control, &asked);
                    let service = hyper::service::service_fn(move |request| async move {
                        Ok::<_, Infallible>(answer(of_control, of_asked, request).await)
                    });
                    let served =
                        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    if let Err(error) = served.await {
                        tracing::debug!(%error, "a control connection ended early");
                    }
                    let asked = *asked.lock();
                    if asked != Stop::No {
                        control.stop.send_replace(asked);
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept on the control socket");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn answer(control: &Control, asked: &Mutex<Stop>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, value) = match route(control, asked, &request).await {
        Ok(value) => (200, value),
        Err(line) => (400, json!({"error": line})),
    };
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    if *asked.lock() != Stop::No {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn route(control: &Control, asked: &Mutex<Stop>, request: &Request<Incoming>) -> Result<Json, String> {
    let query: BTreeMap<String, String> =
        form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes()).into_owned().collect();
    let given = |name: &str| query.get(name).cloned().ok_or_else(|| format!("the request lacks {name}"));
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/status") => Ok(status::status(control).await),
        (&Method::GET, "/explain") => explain::explain(control, &given("what")?).await,
        (&Method::GET, "/logs") => {
            let lines = given("lines")?.parse().map_err(|_| "lines is not a number".to_owned())?;
            status::calls(control, lines, query.get("all").is_some_and(|all| all == "true")).await
        }
        (&Method::GET, "/console") => {
            let output = control.driver.console(&machine(&given("instance")?)).await.map_err(|e| e.chain())?;
            Ok(json!({"output": String::from_utf8_lossy(&output)}))
        }
        (&Method::GET, "/shell") => {
            let argv = control.driver.shell_command(&machine(&given("instance")?)).await.map_err(|e| e.chain())?;
            Ok(json!({"argv": argv}))
        }
        (&Method::GET, "/ssh") => crate::ssh::place(control, &given("instance")?).await,
        (&Method::GET, "/probe") => {
            let number = |name: &str| given(name)?.parse::<u64>().map_err(|_| format!("{name} is not a number"));
            let port = u16::try_from(number("port")?).map_err(|_| "there is no such port".to_owned())?;
            crate::machines::probe(control, &given("instance")?, port, number("seconds")?).await
        }
        (&Method::POST, "/fault/kill") => {
            let id = given("instance")?;
            control.driver.kill(&machine(&id)).await.map_err(|e| e.chain())?;
            tracing::warn!(instance = %id, "killed on purpose");
            Ok(json!({"text": format!("killed the first process of {id} with SIGKILL")}))
        }
        (&Method::GET, "/mail") => crate::mail::mail(&control.platform, &query),
        (&Method::POST, "/image/import") => {
            let path = given("path")?;
            let credentials = query.get("credentials").map(String::as_str);
            crate::machines::import(control, &path, credentials, &given("name")?).await
        }
        (&Method::POST, "/image/alias") => {
            let likes: Vec<String> = given("like")?.split(',').map(str::to_owned).collect();
            let made = kiln_ec2::stand_ins::alias(&control.platform, &given("image")?, &likes).await;
            Ok(crate::machines::stand_ins(made.map_err(|e| e.chain())?))
        }
        (&Method::POST, "/image/unalias") => {
            let gone = kiln_ec2::stand_ins::unalias(&control.platform, &given("like")?).await;
            Ok(crate::machines::stand_ins(gone.map_err(|e| e.chain())?))
        }
        (&Method::GET, "/image/aliases") => {
            let all = kiln_ec2::stand_ins::aliases(&control.platform).map_err(|e| e.chain())?;
            Ok(crate::machines::stand_ins(all))
        }
        (&Method::GET, "/image/progress") => {
            let name = given("name")?;
            Ok(control.imports.lock().get(&name).map_or(Json::Null, |import| import.json()))
        }
        (&Method::POST, "/backup") => crate::backup::back_up(control, Path::new(&given("path")?)).await,
        (&Method::GET, "/backup/progress") => Ok(control.backups.progress()),
        (&Method::POST, "/down") => {
            let stop = if query.get("machines").is_some_and(|m| m == "stop") {
                Stop::WithMachines
            } else {
                Stop::KeepMachines
            };
            *asked.lock() = stop;
            Ok(json!({"text": match stop {
                Stop::WithMachines => "kiln is down, its machines are stopped",
                _ if control.simulated => "kiln is down, and its simulated machines are gone with it",
                _ => "kiln is down; its machines keep running, and the next kiln up adopts them",
            }}))
        }
        (method, path) => Err(format!("there is no {method} {path}")),
    }
}

fn machine(id: &str) -> MachineId {
    MachineId::new(id)
}
