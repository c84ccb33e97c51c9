// What every page loads: says that scripts run, and brings htmx.
import "htmx.org";

document.documentElement.classList.add("js");
