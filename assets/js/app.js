// What every page loads: the small modules. Each listens on `document` once, so that swapped blocks and pages
// that come back from the back-forward cache need nothing done again.
import "./copy.js";
import "./dialog.js";
import "./form-guard.js";
import "./keys.js";
import "./live.js";
import "./menu.js";
import "./palette.js";
import "./security-key.js";
import "./table-nav.js";
import "./tabs.js";
import "./theme.js";
import "./time.js";

document.documentElement.classList.add("js");
