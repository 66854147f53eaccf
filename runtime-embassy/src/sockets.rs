//! The UDP sockets of a phone: one for SIP, two a call for RTP and RTCP.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::pin;
use core::task::{Context, Poll};

use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use heapless::Vec;

use crate::convert::{ip_endpoint, socket_addr};
use crate::resources::{MEDIA_METAS, MediaBuffers, SIP_METAS};

/// Calls of one phone, so that their sockets fit into a fixed place.
pub(crate) const CALLS_MAX: usize = 8;

pub(crate) struct Sockets<'d> {
    pub(crate) sip: UdpSocket<'d>,
    pub(crate) media: Vec<MediaSockets<'d>, CALLS_MAX>,
}

pub(crate) struct MediaSockets<'d> {
    pub(crate) rtp: UdpSocket<'d>,
    pub(crate) rtcp: UdpSocket<'d>,
    /// A frame is due and waits until the last one has left.
    pub(crate) waits: bool,
}

impl<'d> Sockets<'d> {
    /// The socket for SIP alone.
    pub(crate) fn new(
        stack: Stack<'d>,
        port: u16,
        metas: &'d mut [PacketMetadata; SIP_METAS],
        bytes_in: &'d mut [u8],
        bytes_out: &'d mut [u8],
    ) -> Self {
        let (metas_in, metas_out) = metas.split_at_mut(4);
        let mut sip = UdpSocket::new(stack, metas_in, bytes_in, metas_out, bytes_out);
        // Fails for port 0 alone, which leaves the phone deaf; a zero there is a mistake in the
        // settings that the first registration shows.
        let _ = sip.bind(port);
        Self { sip, media: Vec::new() }
    }

    /// Drops what the SIP socket holds.
    pub(crate) fn empty_sip(&mut self) {
        let port = self.sip.endpoint().port;
        self.sip.close();
        let _ = self.sip.bind(port); // as at first
    }

    /// Adds the sockets of one more call.
    pub(crate) fn add(
        &mut self,
        stack: Stack<'d>,
        rtp_port: u16,
        metas: &'d mut [PacketMetadata; MEDIA_METAS],
        buffers: &'d mut MediaBuffers,
    ) {
        let (rtp_in, metas) = metas.split_at_mut(4);
        let (rtp_out, metas) = metas.split_at_mut(2);
        let (rtcp_in, rtcp_out) = metas.split_at_mut(1);
        let mut rtp =
            UdpSocket::new(stack, rtp_in, &mut buffers.rtp_in, rtp_out, &mut buffers.rtp_out);
        let mut rtcp =
            UdpSocket::new(stack, rtcp_in, &mut buffers.rtcp_in, rtcp_out, &mut buffers.rtcp_out);
        let _ = rtp.bind(rtp_port);
        let _ = rtcp.bind(rtp_port.wrapping_add(1));
        // `Resources` has no more calls than places.
        let _ = self.media.push(MediaSockets { rtp, rtcp, waits: false });
    }
}

/// Takes the next datagram, if there is one, without copying it; `false` where there is none, and
/// the task is woken when one comes.
pub(crate) fn receive(
    socket: &mut UdpSocket<'_>,
    cx: &mut Context<'_>,
    take: impl FnOnce(SocketAddr, &[u8]),
) -> bool {
    let received = socket.recv_from_with(|bytes, meta| {
        if let Some(from) = socket_addr(meta.endpoint) {
            take(from, bytes);
        }
    });
    pin!(received).poll(cx).is_ready()
}

/// Sends a datagram if there is room for it; whether there was.
pub(crate) fn send(
    socket: &UdpSocket<'_>,
    cx: &mut Context<'_>,
    to: SocketAddr,
    bytes: &[u8],
) -> bool {
    match ip_endpoint(to) {
        Some(to) => matches!(socket.poll_send_to(bytes, to, cx), Poll::Ready(Ok(()))),
        None => false,
    }
}

/// Whether all that was sent has left; if not, the task is woken then.
pub(crate) fn is_flushed(socket: &mut UdpSocket<'_>, cx: &mut Context<'_>) -> bool {
    pin!(socket.flush()).poll(cx).is_ready()
}
