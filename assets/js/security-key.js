// Security keys and passkeys: a form with data-security-key asks the browser for a credential before it is sent.
import { release } from "./form-guard.js";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** The options as the server sent them, with the bytes that the browser wants in place of their text. */
function read(options) {
  const listed = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const read = { ...options, challenge: bytes(options.challenge) };
  if (options.user) read.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) read.excludeCredentials = listed(options.excludeCredentials);
  if (options.allowCredentials) read.allowCredentials = listed(options.allowCredentials);
  return read;
}

/** The credential as JSON, in the shape of WebAuthn's own `toJSON`. */
function written(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
}

const reasons = {
  InvalidStateError: "This key is registered already. Use another one.",
  NotAllowedError: "Nothing came from the key: it was not touched in time, or the question was closed. Try again.",
  NotSupportedError: "This key cannot do what is asked of it. Use another one.",
  SecurityError: "The browser does not offer security keys at this address. Use the public address of the factory.",
};

function tell(form, sentence) {
  const place = form.querySelector("[data-wrong]");
  place.textContent = sentence;
  place.hidden = !sentence;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.securityKey || form.elements.credential.value) return;
  event.preventDefault();
  tell(form, "");
  if (!navigator.credentials) {
    tell(form, reasons.SecurityError);
    release(form);
    return;
  }
  try {
    const publicKey = read(JSON.parse(form.dataset.options));
    const credential = await navigator.credentials[form.dataset.securityKey]({ publicKey });
    form.elements.credential.value = written(credential);
    form.submit();
  } catch (error) {
    tell(form, reasons[error.name] ?? `The key could not be used (${error.name}). Try again.`);
    release(form);
  }
});
