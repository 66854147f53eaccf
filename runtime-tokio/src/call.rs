mod audio;

use core::fmt;
use core::net::IpAddr;
use core::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use sansip::endpoint::{
    self, AccountId, Body, CallId, Command, CustomHeader, OutgoingCall, Reason, Reply,
};
use sansip::rtp::Digit;
use sansip::sdp::LocalMedia;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

use crate::error::Error;
use crate::line::Dial;
use crate::media::{Control, MediaControl, MediaTask};
use crate::message::Message;
use crate::phone::{Audio, Handle};
use crate::request::{self, Response};
use crate::state::{CallEntry, CallStatus, NewCall, Phase};

/// A call, either way. Dropping it hangs up.
pub struct Call {
    phone: Arc<Handle>,
    id: CallId,
    line: AccountId,
    status: watch::Receiver<CallStatus>,
    /// For [`Call::next_phase`], with what it gave last.
    phases: tokio::sync::Mutex<(watch::Receiver<CallStatus>, Phase)>,
    invite: Option<Message>,
    /// Our address as the peer reaches it.
    local: IpAddr,
    /// `None` where the audio is carried elsewhere.
    digits: Option<tokio::sync::Mutex<mpsc::Receiver<Digit>>>,
    /// For the media task, until it runs; then where it receives.
    media: Mutex<Media>,
    listeners: AtomicU64,
}

enum Media {
    Not(mpsc::Sender<Digit>),
    Runs(MediaControl, LocalMedia),
    Elsewhere(LocalMedia),
}

/// Placing and answering.
impl Call {
    pub(crate) fn dial(
        phone: Arc<Handle>,
        line: AccountId,
        target: &str,
        dial: Dial<'_>,
        local: IpAddr,
    ) -> Result<Self, Error> {
        let (sender, status) = watch::channel(CallStatus::default());
        let shared = &phone.shared;
        let (media, start) = match shared.audio {
            Audio::Elsewhere(address) => (LocalMedia::new(address), None),
            Audio::Phone => {
                let sockets = shared.net.media_pair(&shared.rtp_ports)?;
                (local_media(local, &sockets.0)?, Some((sockets, MediaControl::new())))
            }
        };
        let control = start.as_ref().map(|(_, (control, _))| control.clone());
        let command = Command::Call(OutgoingCall {
            account: line,
            target,
            media: media.clone(),
            late_offer: dial.late_offer,
            headers: dial.headers,
        });
        let reply = shared.command_with(command, |state, reply| {
            if let Reply::Call(call) = reply {
                state.calls.insert(call, CallEntry { status: sender, media: control });
            }
        })?;
        let Reply::Call(id) = reply else { return Err(Error::Closed) };
        let (digits, media) = match start {
            None => (None, Media::Elsewhere(media)),
            Some(((rtp, rtcp), (control, controlled))) => {
                let (digits, received) = mpsc::channel(DIGITS_MAX);
                let shared = Arc::clone(shared);
                let task = MediaTask { shared, call: id, rtp, rtcp, control: controlled, digits };
                tokio::spawn(task.run());
                (Some(received.into()), Media::Runs(control, media))
            }
        };
        Ok(Self {
            phases: tokio::sync::Mutex::new((status.clone(), Phase::Waiting)),
            phone,
            id,
            line,
            status,
            invite: None,
            local,
            digits,
            media: Mutex::new(media),
            listeners: AtomicU64::new(0),
        })
    }

    pub(crate) fn incoming(phone: Arc<Handle>, new: NewCall) -> Self {
        let (digits, media) = match phone.shared.audio {
            Audio::Elsewhere(address) => (None, Media::Elsewhere(LocalMedia::new(address))),
            Audio::Phone => {
                let (digits, received) = mpsc::channel(DIGITS_MAX);
                (Some(received.into()), Media::Not(digits))
            }
        };
        let local = new.local.unwrap_or(IpAddr::V4(core::net::Ipv4Addr::LOCALHOST));
        Self {
            phone,
            id: new.call,
            line: new.line,
            phases: tokio::sync::Mutex::new((new.status.clone(), Phase::Waiting)),
            status: new.status,
            invite: new.message,
            local,
            digits,
            media: Mutex::new(media),
            listeners: AtomicU64::new(0),
        }
    }

    /// Names the call in events.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// The Call-ID, by which logs of peers and captures name the call; `None` once it is over.
    pub fn call_id(&self) -> Option<String> {
        let state = self.phone.shared.lock();
        let view = state.endpoint.view(self.id)?;
        Some(String::from_utf8_lossy(view.call_id).into_owned())
    }

    /// Whose call it is: [`Line::id`](crate::Line::id).
    pub fn line(&self) -> AccountId {
        self.line
    }

    /// The INVITE of an incoming call: who calls, and every header.
    pub fn invite(&self) -> Option<&Message> {
        self.invite.as_ref()
    }

    /// Where the call stands.
    pub fn phase(&self) -> Phase {
        self.status.borrow().phase
    }

    /// The message that moved the call last: a provisional or final response, ACK, BYE, CANCEL.
    pub fn last_message(&self) -> Option<Message> {
        self.status.borrow().message.clone()
    }

    /// The audio stream that both sides agreed on last.
    pub fn plan(&self) -> Option<sansip::sdp::MediaPlan> {
        self.status.borrow().plan
    }

    /// The next phase, each once; at first the one after [`Phase::Waiting`]. Phases that follow
    /// each other faster than this is asked for merge into the newest, and the end stays the end.
    ///
    /// # Errors
    /// The phone was shut down.
    pub async fn next_phase(&self) -> Result<Phase, Error> {
        let (status, last) = &mut *self.phases.lock().await;
        if !matches!(last, Phase::Ended(_)) {
            let news = status.wait_for(|status| status.phase != *last).await;
            *last = news.map_err(|_| Error::Closed)?.phase;
        }
        Ok(*last)
    }

    /// Tells the caller that it rings: 180.
    ///
    /// # Errors
    /// The call is not an incoming one that waits for an answer.
    pub fn ring(&self) -> Result<(), Error> {
        self.progress(180, &[])
    }

    /// Sends a provisional response, 101 to 199, without early media.
    ///
    /// # Errors
    /// As [`Call::ring`].
    pub fn progress(&self, status: u16, headers: &[CustomHeader<'_>]) -> Result<(), Error> {
        let command = Command::Progress { call: self.id, status, media: None, headers };
        self.phone.shared.command(command).map(drop)
    }

    /// Sends 183 and opens the audio stream before the answer.
    ///
    /// # Errors
    /// As [`Call::ring`], or there is no port for media.
    pub fn early_media(&self) -> Result<(), Error> {
        let media = Some(self.start_media()?);
        let command = Command::Progress { call: self.id, status: 183, media, headers: &[] };
        self.phone.shared.command(command).map(drop)
    }

    /// Accepts an incoming call and waits until it is up.
    ///
    /// # Errors
    /// The call is over, or we have no media in common.
    pub async fn answer(&self) -> Result<(), Error> {
        self.answer_with(&[]).await
    }

    /// As [`Call::answer`], with headers for the 200.
    ///
    /// # Errors
    /// As [`Call::answer`].
    pub async fn answer_with(&self, headers: &[CustomHeader<'_>]) -> Result<(), Error> {
        let media = self.start_media()?;
        self.phone.shared.command(Command::Answer { call: self.id, media, headers })?;
        self.established().await
    }

    /// Refuses an incoming call with a final response, 300 to 699, such as 486 for busy.
    ///
    /// # Errors
    /// The call is not an incoming one that waits for an answer.
    pub fn reject(&self, status: u16) -> Result<(), Error> {
        self.reject_with(status, &[])
    }

    /// As [`Call::reject`], with headers, such as the Contacts of a 302.
    ///
    /// # Errors
    /// As [`Call::reject`].
    pub fn reject_with(&self, status: u16, headers: &[CustomHeader<'_>]) -> Result<(), Error> {
        let command = Command::Reject { call: self.id, status, headers };
        self.phone.shared.command(command).map(drop)
    }

    /// Waits until the call is up. A call that was up and has ended since counts, as its end may
    /// come right behind; [`Call::ended`] tells it.
    ///
    /// # Errors
    /// It ended before: [`Error::Failed`] with the reason.
    pub async fn established(&self) -> Result<(), Error> {
        let mut status = self.status.clone();
        let up = status.wait_for(|now| now.was_up || matches!(now.phase, Phase::Ended(_)));
        let now = up.await.map_err(|_| Error::Closed)?;
        match now.phase {
            Phase::Ended(reason) if !now.was_up => Err(Error::Failed(reason)),
            _ => Ok(()),
        }
    }

    /// Waits until the call is over and says why.
    ///
    /// # Errors
    /// The phone was shut down before.
    pub async fn ended(&self) -> Result<Reason, Error> {
        let mut status = self.status.clone();
        let over = status.wait_for(|status| matches!(status.phase, Phase::Ended(_)));
        match over.await.map_err(|_| Error::Closed)?.phase {
            Phase::Ended(reason) => Ok(reason),
            _ => Err(Error::Closed),
        }
    }

    /// Ends the call in whatever state it is and says how it ended.
    ///
    /// # Errors
    /// The phone was shut down.
    pub async fn hang_up(&self) -> Result<Reason, Error> {
        match self.phone.shared.command(Command::HangUp(self.id)) {
            Ok(_) | Err(Error::Refused(_)) => self.ended().await,
            Err(error) => Err(error),
        }
    }

    /// Puts the peer on hold and waits until it agrees. Nothing is heard then, and a source waits
    /// where the peer wants nothing from us.
    ///
    /// # Errors
    /// The peer refused, the call ended, or it is not up.
    pub async fn hold(&self) -> Result<(), Error> {
        self.change(Command::Hold(self.id)).await
    }

    /// Takes the peer off hold and waits until it agrees.
    ///
    /// # Errors
    /// As [`Call::hold`].
    pub async fn resume(&self) -> Result<(), Error> {
        self.change(Command::Resume(self.id)).await
    }

    async fn change(&self, command: Command<'_>) -> Result<(), Error> {
        let mut status = self.status.clone();
        let mut before = (0, 0);
        self.phone.shared.command_with(command, |state, _| {
            if let Some(entry) = state.calls.get(&self.id) {
                let now = entry.status.borrow();
                before = (now.agreed, now.refused.0);
            }
        })?;
        let news = status.wait_for(|now| {
            matches!(now.phase, Phase::Ended(_)) || (now.agreed, now.refused.0) != before
        });
        let now = news.await.map_err(|_| Error::Closed)?;
        match (now.phase, now.refused) {
            (Phase::Ended(reason), _) => Err(Error::Failed(reason)),
            (_, (count, Some(reason))) if count != before.1 => Err(Error::Failed(reason)),
            _ => Ok(()),
        }
    }

    /// Sends a request inside the call, such as INFO or MESSAGE, and waits for its response.
    ///
    /// # Errors
    /// The request is not possible or got no response.
    pub async fn request(
        &self,
        method: &str,
        headers: &[CustomHeader<'_>],
        body: Option<Body<'_>>,
    ) -> Result<Response, Error> {
        let command = Command::RequestInCall { call: self.id, method, headers, body };
        request::send(&self.phone, command).await
    }
}

impl Call {
    pub(super) fn control(&self, control: Control) -> Result<(), Error> {
        if let Phase::Ended(reason) = self.phase() {
            return Err(Error::Failed(reason));
        }
        self.running()?.send(control);
        Ok(())
    }

    pub(super) fn running(&self) -> Result<MediaControl, Error> {
        match &*self.media.lock().unwrap_or_else(PoisonError::into_inner) {
            Media::Runs(control, _) => Ok(control.clone()),
            Media::Not(_) | Media::Elsewhere(_) => Err(Error::Refused(endpoint::Error::State)),
        }
    }

    /// Opens the sockets of an incoming call and starts its media task, once.
    fn start_media(&self) -> Result<LocalMedia, Error> {
        let shared = &self.phone.shared;
        let mut media = self.media.lock().unwrap_or_else(PoisonError::into_inner);
        let digits = match &*media {
            Media::Runs(_, local) | Media::Elsewhere(local) => return Ok(local.clone()),
            Media::Not(digits) => digits.clone(),
        };
        let (rtp, rtcp) = shared.net.media_pair(&shared.rtp_ports)?;
        let local = local_media(self.local, &rtp)?;
        let (control, controlled) = MediaControl::new();
        if let Some(entry) = shared.lock().calls.get_mut(&self.id) {
            entry.media = Some(control.clone());
        }
        let (shared, call) = (Arc::clone(shared), self.id);
        tokio::spawn(MediaTask { shared, call, rtp, rtcp, control: controlled, digits }.run());
        *media = Media::Runs(control, local.clone());
        Ok(local)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if matches!(self.phase(), Phase::Ended(_)) {
            return;
        }
        let _ = self.phone.shared.command(Command::HangUp(self.id));
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id)
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}

fn local_media(ip: IpAddr, rtp: &UdpSocket) -> Result<LocalMedia, Error> {
    Ok(LocalMedia::new((ip, rtp.local_addr()?.port()).into()))
}

/// Digits that wait for the application: more than anybody types ahead.
const DIGITS_MAX: usize = 64;
