//! `producer deliveries`: what was asked comes in, an exit status goes out.

use crate::arguments::{DeliveriesCommand, DeliveriesFilter};
use crate::pipeline::{COMPLETED, Ended};
use crate::show;
use orchestrator::{DeliveriesAsked, Workspace};

/// Nothing could be given another chance.
const NEEDS_FORCE: u8 = 3;

pub async fn command(asked: &DeliveriesCommand) -> Ended {
    match asked {
        DeliveriesCommand::List { state, filter, place, format } => {
            let asked = DeliveriesAsked { state: state.clone(), ..of(filter) };
            let listed = orchestrator::list_deliveries(&Workspace::new(&place.workspace), &asked).await?;
            show::deliveries(&listed, *format)?;
        }
        DeliveriesCommand::Show { id, place, format } => {
            show::delivery(&orchestrator::show_delivery(&Workspace::new(&place.workspace), id).await?, *format)?;
        }
        DeliveriesCommand::Replay { id, all, filter, force, place } => {
            let workspace = Workspace::new(&place.workspace);
            let replayed =
                orchestrator::replay_deliveries(&workspace, id.as_deref(), *all, &of(filter), *force).await?;
            match replayed.replayed {
                1 => eprintln!("1 delivery waits again; `producer serve` carries it"),
                count => eprintln!("{count} deliveries wait again; `producer serve` carries them"),
            }
            if replayed.in_doubt > 0 {
                eprintln!(
                    "{} of them may have had their effect and were left: look at the provider, then say `--force`",
                    replayed.in_doubt
                );
                return Ok(NEEDS_FORCE);
            }
        }
    }
    Ok(COMPLETED)
}

fn of(filter: &DeliveriesFilter) -> DeliveriesAsked {
    DeliveriesAsked {
        state: None,
        integration: filter.task.clone(),
        provider: filter.provider.clone(),
        event: filter.event.clone(),
    }
}
