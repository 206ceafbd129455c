//! `producer simulate`: what was asked comes in, a provider that is played until it is asked to end; an exit status goes out.

use crate::arguments::Simulate;
use crate::pipeline::{COMPLETED, Ended, asked_to_end};
use crate::show;
use orchestrator::{SimulateOptions, Simulating, Workspace};

pub async fn command(asked: &Simulate) -> Ended {
    let options = SimulateOptions {
        listen: asked.listen.clone(),
        webhooks_to: asked.webhooks_to.clone(),
        faults: asked.faults.clone(),
        seed: asked.seed,
    };
    let simulating = Simulating::bind(&Workspace::new(&asked.place.workspace), &asked.name, &options).await?;
    let end = asked_to_end()?;
    show::simulating(&simulating)?;
    simulating.run(end).await;
    Ok(COMPLETED)
}
