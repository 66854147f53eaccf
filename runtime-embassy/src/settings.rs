use core::net::IpAddr;
use core::time::Duration;

use sansip::endpoint::Config;

/// How a phone is set up; the default is right for a phone on the server's network.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Timers and limits of the endpoint. `local` is filled in by the phone.
    pub config: Config,
    /// UDP port for SIP: 5060.
    pub sip_port: u16,
    /// UDP port for RTP of the first call, an even number: 4000. RTCP uses the next port, the next
    /// call the two after (RFC 3550 s11).
    pub rtp_port: u16,
    /// Address and ports as peers reach them, where those are others than ours, such as behind
    /// port forwarding.
    pub advertised: Option<Advertised>,
    /// How long a call may go without media from the peer; `None` for ever. 30 s unless set.
    pub media_silence: Option<Duration>,
}

/// Where peers reach us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advertised {
    /// The address.
    pub address: IpAddr,
    /// What stands for [`Settings::sip_port`] there.
    pub sip_port: u16,
    /// What stands for [`Settings::rtp_port`] there; the ports behind it go along.
    pub rtp_port: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            config: Config::default(),
            sip_port: 5060,
            rtp_port: 4000,
            advertised: None,
            media_silence: Some(Duration::from_secs(30)),
        }
    }
}
