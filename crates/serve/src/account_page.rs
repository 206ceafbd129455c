//! The pages to which the links of mails lead: somebody proves an address, or sets another password, with the token that the link holds.
//! The browser keeps the token to itself until it calls the endpoint. Their files are those of the Node.js application.

use crate::return_page::File;
use plan::accounts::AccountPage;

const HTML: &str = include_str!("../../emit/node/lib/account-page/page.html");
const CSS: &str = include_str!("../../emit/node/lib/account-page/page.css");
const JAVASCRIPT: &str = include_str!("../../emit/node/lib/account-page/page.js");

/// The page and its files, each with its path.
pub(crate) fn files(page: &AccountPage) -> [(String, File); 3] {
    let path = page.path();
    let html = HTML.replace("{path}", path).replace("{does}", page.does.as_str()).replace("{calls}", &page.calls);
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    [
        (path.to_owned(), File::page(html)),
        (format!("{folder}/page.js"), File::script(JAVASCRIPT)),
        (format!("{folder}/page.css"), File::style(CSS)),
    ]
}
