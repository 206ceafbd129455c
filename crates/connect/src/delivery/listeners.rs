//! Everybody who is told of events: services and the people who get mails. An event comes in, the deliveries to all of them go out, and each
//! delivery goes to whoever carries it.

use super::steps::{Services, Steps};
use super::worker::{Carrier, Carrying, Hold};
use crate::mail::{Mailer, Mails};
use plan::mail::INTEGRATION;
use std::sync::Arc;
use store::delivery::{Leased, NewDelivery, OutboxEvent, Routes};

/// Who there is to be told.
pub struct Listeners {
    /// Services.
    pub services: Arc<Services>,
    /// Those who get mails.
    pub mails: Arc<Mails>,
}

impl Routes for Listeners {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        let mut deliveries = self.services.deliveries(event);
        deliveries.extend(self.mails.deliveries(event));
        deliveries
    }

    fn overlooked(&self) -> Option<(&str, Vec<&str>)> {
        self.mails.overlooked()
    }

    fn new_id(&self) -> String {
        self.services.new_id()
    }
}

/// Who carries to them.
pub struct Carriers {
    /// To services.
    pub steps: Steps,
    /// Mails, where there are any.
    pub mailer: Option<Mailer>,
}

impl Carrier for Carriers {
    fn carry<'a>(&'a self, delivery: &'a Leased, hold: &'a Hold) -> Carrying<'a> {
        match &self.mailer {
            Some(mailer) if delivery.integration == INTEGRATION => mailer.carry(delivery, hold),
            Some(_) | None => self.steps.carry(delivery, hold),
        }
    }
}
