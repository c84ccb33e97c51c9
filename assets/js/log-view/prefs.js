// What a person chose for all logs: times and wrapping. Nothing else is kept in the browser.
const KEY = "log-view";

export function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) || {};
  } catch {
    return {};
  }
}

export function write(prefs) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ times: prefs.times, wrap: prefs.wrap }));
  } catch {
    // Storage is off or full: the choice then holds for this page.
  }
}
