// Passkeys, for the pages that offer them. Everything else on them works without scripts.
"use strict";

const decode = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function call(path, body, token) {
  const headers = { "content-type": "application/json" };
  if (token) headers["x-csrf-token"] = token;
  const answer = await fetch(path, { method: "POST", headers, body: body && JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error.message);
  return said;
}

const named = (list) => (list || []).map((one) => ({ ...one, id: decode(one.id) }));

async function create(button) {
  const token = button.dataset.csrf;
  const { publicKey } = await call("/api/v1/second-factors/passkeys/options", undefined, token);
  publicKey.challenge = decode(publicKey.challenge);
  publicKey.user.id = decode(publicKey.user.id);
  publicKey.excludeCredentials = named(publicKey.excludeCredentials);
  const made = await navigator.credentials.create({ publicKey });
  const response = {
    attestationObject: encode(made.response.attestationObject),
    clientDataJSON: encode(made.response.clientDataJSON),
  };
  const credential = { id: made.id, rawId: encode(made.rawId), type: made.type, response, extensions: {} };
  const name = document.getElementById("passkey-name").value.trim() || undefined;
  await call("/api/v1/second-factors/passkeys", { name, credential }, token);
  location.reload();
}

async function get(button) {
  const { publicKey } = await call("/api/v1/sessions/passkey/options");
  publicKey.challenge = decode(publicKey.challenge);
  publicKey.allowCredentials = named(publicKey.allowCredentials);
  const shown = await navigator.credentials.get({ publicKey });
  const { authenticatorData, clientDataJSON, signature, userHandle } = shown.response;
  const response = {
    authenticatorData: encode(authenticatorData),
    clientDataJSON: encode(clientDataJSON),
    signature: encode(signature),
    userHandle: userHandle ? encode(userHandle) : null,
  };
  const credential = { id: shown.id, rawId: encode(shown.rawId), type: shown.type, response, extensions: {} };
  await call("/api/v1/sessions/passkey", { credential });
  location.assign(button.dataset.next);
}

for (const part of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  part.hidden = false;
  const button = part.querySelector("button");
  const message = part.querySelector("[role=alert]");
  button.addEventListener("click", async () => {
    button.disabled = true;
    message.hidden = true;
    try {
      await (part.dataset.passkey === "create" ? create(button) : get(button));
    } catch (error) {
      message.textContent = error.name === "NotAllowedError" ? "The passkey did not answer. Try again." : error.message;
      message.hidden = false;
      button.disabled = false;
    }
  });
}
