//! Opens connections through a SOCKS5 proxy (RFC 1928), optionally with a user and password (RFC
//! 1929).

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Host;

use super::stream::ByteStream;
use crate::io::probe::classify::proxy_fault;
use crate::model::host_port::HostPort;
use crate::model::observation::{Fault, Phase};
use crate::model::target::ProxyAuth;

/// The version of the SOCKS protocol.
const VERSION: u8 = 5;
/// The authentication method without credentials.
const NO_CREDENTIALS: u8 = 0;
/// The authentication method with a user and password.
const PASSWORD: u8 = 2;
/// The command that opens a TCP connection.
const CONNECT: u8 = 1;

/// Opens a connection to `to` through the SOCKS proxy on this stream.
///
/// # Errors
/// Returns a fault if the proxy refused the request, could not connect, closed the connection, or
/// does not use SOCKS5.
pub(super) async fn connect(
    stream: &mut Box<dyn ByteStream>,
    to: &HostPort,
    auth: Option<&ProxyAuth>,
) -> Result<(), Fault> {
    match negotiate(stream, to, auth).await {
        Ok(None) => Ok(()),
        Ok(Some(problem)) => Err(proxy_fault(Phase::Connect, problem)),
        Err(error) => {
            let detail = format!("the SOCKS proxy closed the connection: {error}");
            Err(proxy_fault(Phase::Connect, detail))
        }
    }
}

/// Performs the SOCKS handshake. Returns `None` on success, or a message that says why the proxy
/// did not open the connection.
async fn negotiate(
    stream: &mut Box<dyn ByteStream>,
    to: &HostPort,
    auth: Option<&ProxyAuth>,
) -> io::Result<Option<String>> {
    let offer: &[u8] = match auth {
        None => &[VERSION, 1, NO_CREDENTIALS],
        Some(_) => &[VERSION, 2, NO_CREDENTIALS, PASSWORD],
    };
    stream.write_all(offer).await?;
    stream.flush().await?;
    let (version, method) = (stream.read_u8().await?, stream.read_u8().await?);
    if version != VERSION {
        return Ok(Some(
            "the proxy does not use SOCKS5; correct the scheme of `request.proxy`".to_owned(),
        ));
    }
    match (method, auth) {
        (NO_CREDENTIALS, _) => {}
        (PASSWORD, Some(auth)) => {
            if !authenticate(stream, auth).await? {
                let problem = "the SOCKS proxy rejected the user name and password; correct \
                               `request.proxy_auth`";
                return Ok(Some(problem.to_owned()));
            }
        }
        _ => {
            let problem = "the SOCKS proxy accepts none of the offered authentication methods; \
                           set or correct `request.proxy_auth`";
            return Ok(Some(problem.to_owned()));
        }
    }
    stream.write_all(&request(to)).await?;
    stream.flush().await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    if head[1] != 0 {
        return Ok(Some(format!(
            "the SOCKS proxy could not connect to {to}: {}",
            reason(head[1])
        )));
    }
    // Skip the address and port from which the proxy connects.
    let length = match head[3] {
        1 => 4,
        4 => 16,
        _ => usize::from(stream.read_u8().await?),
    };
    let mut rest = vec![0; length + 2];
    stream.read_exact(&mut rest).await?;
    Ok(None)
}

/// Sends the user and password. Returns whether the proxy accepted them.
async fn authenticate(stream: &mut Box<dyn ByteStream>, auth: &ProxyAuth) -> io::Result<bool> {
    let mut message = vec![1];
    for text in [auth.username.as_str(), auth.password.expose()] {
        // The configuration limits the user and the password to 255 bytes each.
        let bytes = text.as_bytes();
        let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        message.push(length);
        message.extend_from_slice(bytes.get(..usize::from(length)).unwrap_or_default());
    }
    stream.write_all(&message).await?;
    stream.flush().await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    Ok(answer[1] == 0)
}

/// Returns the SOCKS request to connect to a host and port.
fn request(to: &HostPort) -> Vec<u8> {
    let mut message = vec![VERSION, CONNECT, 0];
    match &to.host {
        Host::Ipv4(address) => {
            message.push(1);
            message.extend_from_slice(&address.octets());
        }
        Host::Ipv6(address) => {
            message.push(4);
            message.extend_from_slice(&address.octets());
        }
        Host::Domain(name) => {
            message.push(3);
            let bytes = name.as_bytes();
            let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
            message.push(length);
            message.extend_from_slice(bytes.get(..usize::from(length)).unwrap_or_default());
        }
    }
    message.extend_from_slice(&to.port.to_be_bytes());
    message
}

/// Returns the meaning of a reply code of the proxy (RFC 1928, section 6).
fn reason(reply: u8) -> String {
    match reply {
        1 => "general failure".to_owned(),
        2 => "not allowed by the rules of the proxy".to_owned(),
        3 => "network unreachable".to_owned(),
        4 => "host unreachable".to_owned(),
        5 => "connection refused".to_owned(),
        6 => "time to live expired".to_owned(),
        7 => "command not supported".to_owned(),
        8 => "address type not supported".to_owned(),
        other => format!("reply {other}"),
    }
}

/// Returns a [`HostPort`] with an IP address as the host.
pub(super) fn at(address: IpAddr, port: u16) -> HostPort {
    let host = match address {
        IpAddr::V4(address) => Host::Ipv4(address),
        IpAddr::V6(address) => Host::Ipv6(address),
    };
    HostPort { host, port }
}
