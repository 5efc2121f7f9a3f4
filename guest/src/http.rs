//! Just enough HTTP/1.1 to reach a link-local endpoint.
//!
//! One request per connection, bodies bounded. Names are looked up in
//! `/etc/hosts` and then asked of `/etc/resolv.conf`'s servers, because a static
//! C library's resolver needs shared objects that an image may not have.
//! `https` is left to `curl`, which the image has.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// Largest answer accepted.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// How long each single wait may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// `http://host:port/path` in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path with query.
    pub target: String,
}

impl Url {
    /// Takes a URL apart.
    pub fn parse(text: &str) -> Result<Url, String> {
        let rest = text.strip_prefix("http://").ok_or_else(|| format!("{text:?} is not an http:// URL"))?;
        let (authority, target) = match rest.find(['/', '?']) {
            Some(at) if rest.as_bytes()[at] == b'/' => (&rest[..at], rest[at..].to_owned()),
            Some(at) => (&rest[..at], format!("/{}", &rest[at..])),
            None => (rest, "/".to_owned()),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| format!("{text:?} has a bad port"))?),
            None => (authority, 80),
        };
        let control = |c: char| c.is_ascii_control() || c == ' ';
        if host.is_empty() || text.contains(control) {
            return Err(format!("{text:?} is not an http:// URL"));
        }
        Ok(Url { host: host.to_owned(), port, target })
    }
}

/// Sends one request and reads the whole answer.
pub fn send(method: &str, url: &str, content_type: &str, body: &[u8]) -> Result<Answer, String> {
    let at = Url::parse(url)?;
    let doing = |cause: std::io::Error| format!("{method} {url}: {cause}");
    let address = SocketAddr::new(resolve(&at.host)?, at.port);
    let mut link = TcpStream::connect_timeout(&address, Duration::from_secs(5)).map_err(doing)?;
    link.set_read_timeout(Some(PATIENCE)).map_err(doing)?;
    link.set_write_timeout(Some(PATIENCE)).map_err(doing)?;
    let content_type = match content_type {
        "" => String::new(),
        kind => format!("Content-Type: {kind}\r\n"),
    };
    let mut request = format!(
        "{method} {} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: kiln-guest\r\nAccept: */*\r\n\
         Connection: close\r\n{content_type}Content-Length: {}\r\n\r\n",
        at.target,
        at.host,
        at.port,
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    link.write_all(&request).map_err(doing)?;
    let mut answer = Vec::new();
    link.take(MOST_BYTES).read_to_end(&mut answer).map_err(doing)?;
    parse_answer(&answer).map_err(|problem| format!("{method} {url}: {problem}"))
}

fn parse_answer(bytes: &[u8]) -> Result<Answer, String> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or("the answer ended within its headers")?;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let mut body = &bytes[end + 4..];
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or("the answer has no status")?;
    let headers: Vec<(&str, &str)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim())).collect();
    let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
    if header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        return Ok(Answer { status, body: unchunk(body)? });
    }
    if let Some(length) = header("content-length") {
        let length: usize = length.parse().map_err(|_| "the answer's length is not a number")?;
        body = body.get(..length).ok_or("the answer ended too early")?;
    }
    Ok(Answer { status, body: body.to_vec() })
}

fn unchunk(mut rest: &[u8]) -> Result<Vec<u8>, String> {
    let short = "the answer ended within a chunk";
    let mut out = Vec::new();
    loop {
        let line = rest.iter().position(|byte| *byte == b'\n').ok_or(short)?;
        let size = String::from_utf8_lossy(&rest[..line]);
        let size = size.split(';').next().unwrap_or("").trim().to_owned();
        let size = usize::from_str_radix(&size, 16).map_err(|_| "a chunk has no size")?;
        rest = &rest[line + 1..];
        if size == 0 {
            return Ok(out);
        }
        out.extend_from_slice(rest.get(..size).ok_or(short)?);
        rest = rest.get(size..).and_then(|r| r.strip_prefix(b"\r\n")).ok_or(short)?;
    }
}

/// Percent-encodes a form value.
pub fn encode(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn resolve(host: &str) -> Result<IpAddr, String> {
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return Ok(address);
    }
    if host == "localhost" || host.ends_with(".localhost") {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_else(|_| String::new());
    let named = hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(host)).then_some(address)
    });
    if let Some(address) = named {
        return Ok(address);
    }
    let resolvers = std::fs::read_to_string("/etc/resolv.conf")
        .map_err(|cause| format!("cannot look up {host}: /etc/resolv.conf: {cause}"))?;
    let servers = resolvers.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then(|| words.next()?.parse::<IpAddr>().ok())?
    });
    let mut problem = "no name server is configured".to_owned();
    for server in servers {
        match ask(server, host) {
            Ok(address) => return Ok(IpAddr::V4(address)),
            Err(cause) => problem = cause,
        }
    }
    Err(format!("cannot look up {host}: {problem}"))
}

fn ask(server: IpAddr, host: &str) -> Result<Ipv4Addr, String> {
    let query = dns_query(host)?;
    let any: SocketAddr = match server {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let doing = |cause: std::io::Error| format!("{server}: {cause}");
    let socket = UdpSocket::bind(any).map_err(doing)?;
    socket.set_read_timeout(Some(Duration::from_secs(3))).map_err(doing)?;
    socket.connect((server, 53)).map_err(doing)?;
    socket.send(&query).map_err(doing)?;
    let mut answer = [0; 1500];
    let length = socket.recv(&mut answer).map_err(doing)?;
    dns_address(&answer[..length]).ok_or_else(|| format!("{server} knows no address"))
}

fn dns_query(host: &str) -> Result<Vec<u8>, String> {
    let mut query = vec![0x6b, 0x6e, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in host.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|n| (1..64).contains(n));
        query.push(length.ok_or_else(|| format!("{host:?} is not a host name"))?);
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    Ok(query)
}

/// The first address of an answer to [`dns_query`].
fn dns_address(answer: &[u8]) -> Option<Ipv4Addr> {
    let number = |at: usize| Some(usize::from(*answer.get(at)?) << 8 | usize::from(*answer.get(at + 1)?));
    if number(0)? != 0x6b6e {
        return None;
    }
    let mut at = skip_name(answer, 12)? + 4;
    for _ in 0..number(6)? {
        at = skip_name(answer, at)?;
        let (kind, length) = (number(at)?, number(at + 8)?);
        if kind == 1 && length == 4 {
            let bytes: [u8; 4] = answer.get(at + 10..at + 14)?.try_into().ok()?;
            return Some(Ipv4Addr::from(bytes));
        }
        at += 10 + length;
    }
    None
}

fn skip_name(answer: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *answer.get(at)? {
            0 => return Some(at + 1),
            pointer if pointer >= 0xc0 => return Some(at + 2),
            length => at += usize::from(length) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = Url::parse("http://169.254.169.254:8001?x=1").expect("a URL");
        assert_eq!((url.host.as_str(), url.port, url.target.as_str()), ("169.254.169.254", 8001, "/?x=1"));
        assert!(Url::parse("ftp://x/").is_err());
        assert!(Url::parse("http://x/a b").is_err());
    }

    #[test]
    fn answers_are_read_plain_and_chunked_and_never_cut_short() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(parse_answer(plain), Ok(Answer { status: 200, body: b"hi".to_vec() }));
        let chunked = b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        assert_eq!(parse_answer(chunked), Ok(Answer { status: 404, body: b"hi".to_vec() }));
        assert!(parse_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi").is_err());
        assert!(parse_answer(b"HTTP/1.1 200 OK\r\n").is_err());
        assert!(parse_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi").is_err());
    }

    #[test]
    fn an_address_is_found_behind_an_alias() {
        let mut answer = dns_query("a.b").expect("a query");
        answer[7] = 2;
        answer.extend_from_slice(&[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12]);
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 2]);
        assert_eq!(dns_address(&answer), Some(Ipv4Addr::new(10, 0, 0, 2)));
        assert_eq!(dns_address(&answer[..20]), None);
        assert!(dns_query("a..b").is_err());
    }
}
