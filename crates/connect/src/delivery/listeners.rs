//! Everybody who is told of events: services, the people who get mails, subscribers, and whoever is told how integrations stand. An event comes in, the deliveries to all of them go out, and each
//! delivery goes to whoever carries it.

use super::steps::{Services, Steps};
use super::worker::{Carrier, Carrying, Hold};
use crate::alert_webhook::AlertWebhook;
use crate::mail::{Mailer, Mails};
use crate::subscribers::Subscribers;
use plan::{alerts, mail};
use std::sync::Arc;
use store::delivery::{Leased, NewDelivery, OutboxEvent, Routes};

/// Who there is to be told.
pub struct Listeners {
    /// Services.
    pub services: Arc<Services>,
    /// Those who get mails.
    pub mails: Arc<Mails>,
    /// Those who are told at addresses of their own, where there may be any.
    pub subscribers: Option<Arc<Subscribers>>,
    /// Whoever is told how integrations stand, where anybody is.
    pub alerts: Option<Arc<AlertWebhook>>,
}

impl Routes for Listeners {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        let mut deliveries = self.services.deliveries(event);
        deliveries.extend(self.mails.deliveries(event));
        deliveries.extend(self.subscribers.iter().flat_map(|subscribers| subscribers.deliveries(event)));
        deliveries.extend(self.alerts.iter().flat_map(|alerts| alerts.deliveries(event)));
        deliveries
    }

    fn overlooked(&self) -> Vec<(&str, Vec<&str>)> {
        let mut overlooked = self.mails.overlooked();
        overlooked.extend(self.subscribers.iter().flat_map(|subscribers| subscribers.overlooked()));
        overlooked.extend(self.alerts.iter().flat_map(|alerts| alerts.overlooked()));
        overlooked
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
    /// Messages to subscribers, where there may be any.
    pub subscribers: Option<Arc<Subscribers>>,
    /// Messages about integrations, where anybody is told.
    pub alerts: Option<Arc<AlertWebhook>>,
}

impl Carrier for Carriers {
    fn carry<'a>(&'a self, delivery: &'a Leased, hold: &'a Hold) -> Carrying<'a> {
        if let Some(subscribers) = self.subscribers.as_ref().filter(|one| one.carries(&delivery.integration)) {
            return subscribers.carry(delivery, hold);
        }
        match (delivery.integration.as_str(), &self.mailer, &self.alerts) {
            (mail::INTEGRATION, Some(mailer), _) => mailer.carry(delivery, hold),
            (alerts::INTEGRATION, _, Some(alerts)) => alerts.carry(delivery, hold),
            _ => self.steps.carry(delivery, hold),
        }
    }
}
