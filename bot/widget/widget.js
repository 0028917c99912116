/* paretodesk chat widget: <script async src="https://desk.example/widget.js" data-site="demo"></script>
 *
 * Attributes of the script (or of your own <paretodesk-chat> element, without "data-"): data-site, data-locale,
 * data-api (base URL of the desk, default: where this script came from), data-theme ("light" or "dark").
 * JavaScript: window.paretodesk.open(), .close(), .ask("text"), .setLocale("de"), .on("open" | "close" | "message" | "turn" |
 * "error", handler) -> a function that takes the handler off again.
 * CSS variables on paretodesk-chat: --paretodesk-accent, -on-accent, -background, -surface, -text, -muted, -border,
 * -font, -radius, -offset, -layer.
 *
 * Text from outside becomes text nodes only; nothing here ever parses HTML.
 */
(() => {
  "use strict";

  const NAME = "paretodesk-chat";
  if (customElements.get(NAME)) return;

  const script = document.currentScript;
  const LOCALES = ["en", "fr", "de", "es", "it"];
  const MAX_MESSAGE = 4000;
  const RETRY_AFTER = 3000; // ms until the one automatic resend
  const GIVE_UP_AFTER = 20000; // ms without an answer
  const LOOK_EVERY = 10000; // ms between looks for a person's reply

  // Needed before the desk has answered for the first time; all other labels come with the session.
  const FIRST_LABELS = {
    en: { open: "Open chat", close: "Close chat", title: "Help and contact", input: "Your message", send: "Send", unavailable: "The chat is not available at the moment. Please try again later.", retry: "Try again" },
    fr: { open: "Ouvrir le chat", close: "Fermer le chat", title: "Aide et contact", input: "Votre message", send: "Envoyer", unavailable: "Le chat n'est pas disponible pour le moment. Merci de réessayer plus tard.", retry: "Réessayer" },
    de: { open: "Chat öffnen", close: "Chat schließen", title: "Hilfe und Kontakt", input: "Ihre Nachricht", send: "Senden", unavailable: "Der Chat ist im Moment nicht erreichbar. Bitte versuchen Sie es später noch einmal.", retry: "Erneut versuchen" },
    es: { open: "Abrir el chat", close: "Cerrar el chat", title: "Ayuda y contacto", input: "Su mensaje", send: "Enviar", unavailable: "El chat no está disponible en este momento. Inténtelo de nuevo más tarde.", retry: "Intentar de nuevo" },
    it: { open: "Apri la chat", close: "Chiudi la chat", title: "Aiuto e contatti", input: "Il suo messaggio", send: "Invia", unavailable: "La chat non è disponibile in questo momento. Riprovi più tardi.", retry: "Riprova" },
  };

  const ICONS = {
    chat: "M4 4h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2h-7.6L7 21.6V18H4a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2Z",
    close: "M6.4 5 5 6.4 10.6 12 5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6L19 6.4 17.6 5 12 10.6Z",
    send: "M3 20.5v-6.4l8.6-2.1L3 9.9V3.5L22 12Z",
  };

  const STYLE = `
  :host { --accent: var(--paretodesk-accent, #0b5cad); --on-accent: var(--paretodesk-on-accent, #fff);
    --background: var(--paretodesk-background, #fff); --surface: var(--paretodesk-surface, #eef2f7);
    --text: var(--paretodesk-text, #16202c); --muted: var(--paretodesk-muted, #51606f);
    --border: var(--paretodesk-border, #c9d3de); --problem: #a3180d; --head: var(--accent); --on-head: var(--on-accent);
    --radius: var(--paretodesk-radius, 16px); --offset: var(--paretodesk-offset, 20px);
    position: fixed; inset: auto var(--offset) var(--offset) auto; z-index: var(--paretodesk-layer, 2147483000);
    font: 400 16px/1.5 var(--paretodesk-font, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
    color: var(--text); color-scheme: light; text-align: start; letter-spacing: normal; }
  @media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { color-scheme: dark;
    --accent: var(--paretodesk-accent, #8cc0ff); --on-accent: var(--paretodesk-on-accent, #07182b);
    --background: var(--paretodesk-background, #141b24); --surface: var(--paretodesk-surface, #243040);
    --text: var(--paretodesk-text, #edf2f8); --muted: var(--paretodesk-muted, #aebccb);
    --border: var(--paretodesk-border, #435469); --problem: #ffb4a8; --head: var(--surface); --on-head: var(--text); } }
  :host([theme="dark"]) { color-scheme: dark;
    --accent: var(--paretodesk-accent, #8cc0ff); --on-accent: var(--paretodesk-on-accent, #07182b);
    --background: var(--paretodesk-background, #141b24); --surface: var(--paretodesk-surface, #243040);
    --text: var(--paretodesk-text, #edf2f8); --muted: var(--paretodesk-muted, #aebccb);
    --border: var(--paretodesk-border, #435469); --problem: #ffb4a8; --head: var(--surface); --on-head: var(--text); }
  :host([hidden]), [hidden] { display: none !important; }
  *, *::before { box-sizing: border-box; }
  button, textarea { font: inherit; color: inherit; letter-spacing: inherit; margin: 0; }
  button { cursor: pointer; }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
  svg { width: 24px; height: 24px; fill: currentColor; display: block; }
  .quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  .launcher { width: 60px; height: 60px; border: 0; border-radius: 50%; display: grid; place-items: center;
    background: var(--accent); color: var(--on-accent); box-shadow: 0 6px 20px rgb(0 0 0 / .28); }
  .launcher svg { width: 28px; height: 28px; }
  .launcher:focus-visible { outline-offset: 3px; }
  .panel { display: flex; flex-direction: column; width: min(400px, calc(100vw - 2 * var(--offset)));
    height: min(640px, calc(100dvh - 2 * var(--offset))); background: var(--background); border: 1px solid var(--border);
    border-radius: var(--radius); overflow: hidden; box-shadow: 0 16px 48px rgb(0 0 0 / .3); }
  header { display: flex; align-items: center; gap: 12px; padding: 10px 10px 10px 18px; background: var(--head);
    color: var(--on-head); }
  header h2 { flex: 1; min-width: 0; margin: 0; font-size: 17px; font-weight: 600; line-height: 1.3;
    overflow-wrap: anywhere; }
  header button { flex: none; width: 44px; height: 44px; border: 0; border-radius: 10px; background: none;
    display: grid; place-items: center; }
  header button:hover { background: rgb(127 127 127 / .25); }
  header button:focus-visible { outline-color: var(--on-head); outline-offset: -4px; }
  .log { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding: 16px; display: flex;
    flex-direction: column; gap: 10px; scroll-behavior: smooth; }
  .log:focus-visible { outline-offset: -4px; }
  .message { max-width: 86%; align-self: flex-start; display: flex; flex-direction: column; gap: 2px; }
  .bubble { padding: 10px 14px; border-radius: 14px 14px 14px 4px; background: var(--surface);
    overflow-wrap: anywhere; hyphens: auto; }
  .customer { align-self: flex-end; align-items: flex-end; }
  .customer .bubble { background: var(--accent); color: var(--on-accent); border-radius: 14px 14px 4px 14px; }
  .agent .bubble { border: 2px solid var(--accent); background: var(--background); }
  .plain { white-space: pre-wrap; }
  .bubble p, .bubble ul, .bubble ol { margin: 0 0 8px; }
  .bubble > :last-child { margin-bottom: 0; }
  .bubble ul, .bubble ol { padding-inline-start: 22px; }
  .note { font-size: 13px; line-height: 1.4; color: var(--muted); padding: 0 4px; }
  .problem { color: var(--problem); }
  .note button { border: 0; background: none; padding: 6px 4px; min-height: 32px; color: inherit; font-weight: 600;
    text-decoration: underline; }
  .typing { display: flex; gap: 5px; padding: 15px 14px; width: max-content; }
  .typing i { width: 7px; height: 7px; border-radius: 50%; background: var(--muted); animation: blink 1.2s infinite; }
  .typing i:nth-child(2) { animation-delay: .2s; } .typing i:nth-child(3) { animation-delay: .4s; }
  @keyframes blink { 0%, 60%, 100% { opacity: .3; } 30% { opacity: 1; } }
  .choices { display: flex; flex-wrap: wrap; gap: 8px; padding: 0 16px 12px; }
  .choices button { max-width: 100%; min-height: 44px; padding: 8px 16px; border: 1.5px solid var(--accent);
    border-radius: 22px; background: var(--background); color: var(--accent); font-weight: 600; line-height: 1.3;
    overflow-wrap: anywhere; hyphens: auto; }
  .choices button:hover { background: var(--surface); }
  footer { border-top: 1px solid var(--border); padding: 10px 12px calc(10px + env(safe-area-inset-bottom, 0px)); }
  form { display: flex; align-items: flex-end; gap: 8px; }
  textarea { flex: 1; min-width: 0; min-height: 46px; max-height: 132px; padding: 10px 14px; resize: none;
    border: 1.5px solid var(--muted); border-radius: 14px; background: var(--background); line-height: 1.45; }
  textarea::placeholder { color: var(--muted); opacity: 1; }
  textarea:focus-visible { outline-offset: 0; }
  .send { flex: none; width: 46px; height: 46px; border: 0; border-radius: 14px; display: grid; place-items: center;
    background: var(--accent); color: var(--on-accent); }
  .send[aria-disabled="true"] { opacity: .45; cursor: default; }
  .person { display: block; margin: 4px auto 0; padding: 8px 12px; min-height: 40px; max-width: 100%; border: 0;
    background: none; color: var(--muted); font-size: 14px; line-height: 1.3; text-decoration: underline;
    text-underline-offset: 3px; border-radius: 10px; }
  .person:hover { color: var(--text); }
  @media (max-width: 480px) { :host([opened]) { inset: 0; }
    .panel { width: 100%; height: 100%; border: 0; border-radius: 0; } }
  @media (prefers-reduced-motion: reduce) { .log { scroll-behavior: auto; } .typing i { animation: none; opacity: .7; } }
  @media (forced-colors: active) { .bubble, .launcher, .send, header { border: 1px solid CanvasText; } }
  @media (prefers-reduced-motion: no-preference) { .panel { animation: rise .16s ease-out; }
    @keyframes rise { from { opacity: 0; transform: translateY(10px); } } }`;

  const known = (locale) => {
    const language = String(locale || "").toLowerCase().split(/[-_]/)[0];
    return LOCALES.includes(language) ? language : null;
  };

  const freshId = () =>
    crypto.randomUUID ? crypto.randomUUID() : Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

  /** A DOM element with properties and children; strings become text nodes. */
  const make = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element && name !== "role") element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };

  const icon = (path) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
    shape.setAttribute("d", path);
    svg.append(shape);
    return svg;
  };

  /** Paragraphs, lists and bold of light Markdown as DOM nodes; everything else stays the text it is. */
  const rich = (text) => {
    const blocks = [];
    let list = null;
    let lines = null;
    const bold = (line) =>
      line.split(/\*\*([^*]+)\*\*/).map((part, i) => (i % 2 ? make("strong", {}, part) : part));
    for (const raw of text.split("\n")) {
      const line = raw.trim();
      const item = /^(?:([-*•])|(\d{1,3})[.)])\s+(.*)$/.exec(line);
      if (!line) {
        lines = null;
      } else if (item) {
        const kind = item[1] ? "ul" : "ol";
        if (!list || list.localName !== kind) blocks.push((list = make(kind)));
        if (kind === "ol" && !list.childElementCount) list.start = Number(item[2]);
        list.append((lines = make("li", {}, ...bold(item[3]))));
      } else if (lines) {
        if (lines.localName === "li") lines.append(" ", ...bold(line));
        else lines.append(make("br"), ...bold(line));
      } else {
        list = null;
        const heading = /^#{1,6}\s+(.*)$/.exec(line);
        blocks.push((lines = heading ? make("p", {}, make("strong", {}, heading[1])) : make("p", {}, ...bold(line))));
      }
    }
    return blocks;
  };

  class DeskError extends Error {
    constructor(status) {
      super(`the desk answered ${status}`);
      this.status = status;
    }
  }

  class ParetodeskChat extends HTMLElement {
    #root = this.attachShadow({ mode: "open" });
    #handlers = new Map();
    #parts = {};
    #session = null; // {id, token}
    #strings = FIRST_LABELS;
    #locale = "en";
    #queue = []; // messages not yet answered: {text, choice, clientId, tried}
    #shown = new Set(); // ids of history entries on the screen
    #choices = [];
    #ticket = null;
    #busy = false;
    #ready = null; // promise of the running start
    #loaded = false; // whether the history is on the screen
    #timers = {};
    #online = () => this.#deliver();
    #seen = () => this.#look();

    connectedCallback() {
      this.#locale = known(this.getAttribute("locale")) || known(document.documentElement.lang) || known(navigator.language) || "en";
      this.#recall();
      if (!this.#root.childElementCount) this.#build();
      this.#label();
      addEventListener("online", this.#online);
      document.addEventListener("visibilitychange", this.#seen);
      if (this.#memory().open) this.open({ focus: false });
    }

    disconnectedCallback() {
      removeEventListener("online", this.#online);
      document.removeEventListener("visibilitychange", this.#seen);
      clearTimeout(this.#timers.retry);
      clearInterval(this.#timers.look);
    }

    /** Show the conversation; the first time, a session is opened. */
    async open({ focus = true } = {}) {
      const { panel, launcher, input } = this.#parts;
      if (panel.hidden) {
        panel.hidden = false;
        launcher.hidden = true;
        this.toggleAttribute("opened", true);
        this.#remember({ open: true });
        this.#tell("open");
      }
      if (focus) input.focus();
      await this.#begin();
    }

    /** Open the conversation and send `text` as if the customer had written it. */
    async ask(text) {
      await this.open();
      const question = String(text).trim().slice(0, MAX_MESSAGE);
      if (question) this.#send(question);
    }

    /** Hide the conversation and give the focus back to the launcher. */
    close() {
      const { panel, launcher } = this.#parts;
      if (panel.hidden) return;
      panel.hidden = true;
      launcher.hidden = false;
      this.toggleAttribute("opened", false);
      this.#remember({ open: false });
      clearInterval(this.#timers.look);
      launcher.focus();
      this.#tell("close");
    }

    /** Labels in another language; the bot itself answers in the language that the customer writes. */
    setLocale(locale) {
      const wanted = known(locale);
      if (!wanted) return;
      this.#locale = wanted;
      this.#remember({ locale: wanted });
      this.#label();
    }

    /** Call `handler` with the detail of each event `name`; returns a function that stops it. */
    on(name, handler) {
      if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
      this.#handlers.get(name).add(handler);
      return () => this.#handlers.get(name).delete(handler);
    }

    // -- memory ---------------------------------------------------------------------------------------------

    get #key() {
      return `paretodesk:${this.getAttribute("site") || "demo"}`;
    }

    #memory() {
      try {
        return JSON.parse(sessionStorage.getItem(this.#key)) || {};
      } catch {
        return {}; // storage is blocked: the chat works, a reload starts anew
      }
    }

    #remember(changes) {
      try {
        sessionStorage.setItem(this.#key, JSON.stringify({ ...this.#memory(), ...changes }));
      } catch {
        // see #memory
      }
    }

    #recall() {
      const { session, strings, locale, queue } = this.#memory();
      if (session) this.#session = session;
      if (strings) this.#strings = strings;
      if (known(locale)) this.#locale = locale;
      if (Array.isArray(queue)) this.#queue = queue.map((message) => ({ ...message, tried: 0 }));
    }

    #forget() {
      this.#session = this.#ticket = null;
      this.#loaded = false;
      this.#remember({ session: null });
    }

    // -- the desk -------------------------------------------------------------------------------------------

    async #call(path, body) {
      const base = this.getAttribute("api") || (script && script.src ? new URL(".", script.src).href : "/");
      const headers = {};
      if (this.#session) headers.Authorization = `Bearer ${this.#session.token}`;
      if (body) headers["Content-Type"] = "application/json";
      const patience = new AbortController();
      const timer = setTimeout(() => patience.abort(), GIVE_UP_AFTER);
      try {
        const response = await fetch(new URL(`v1/chat/sessions${path}`, new URL(base, location.href)), {
          method: body ? "POST" : "GET",
          headers,
          body: body && JSON.stringify(body),
          signal: patience.signal,
          credentials: "omit",
          cache: "no-store",
        });
        if (!response.ok) throw new DeskError(response.status);
        return await response.json();
      } finally {
        clearTimeout(timer);
      }
    }

    /** Have a session and its history on the screen; several callers share one attempt. */
    #begin() {
      this.#ready ??= this.#start().finally(() => (this.#ready = null));
      return this.#ready;
    }

    async #start() {
      this.#parts.trouble.hidden = true;
      try {
        if (this.#session && !this.#loaded) await this.#restore();
        if (!this.#session) await this.#greet();
      } catch (error) {
        this.#parts.trouble.hidden = false;
        this.#tell("error", { error });
        return;
      }
      this.#watch();
      this.#look();
      this.#deliver();
    }

    async #greet() {
      const started = await this.#call("", { site: this.getAttribute("site") || "demo", locale: this.#locale });
      this.#session = { id: started.session_id, token: started.token };
      if (started.strings && started.strings[started.locale]) this.#strings = started.strings;
      this.#loaded = true;
      this.#remember({ session: this.#session, strings: this.#strings });
      this.#speak(started.locale);
      for (const message of started.messages) this.#show("bot", message.text, message.source);
      // What the customer typed in the meantime comes after the greeting.
      this.#parts.messages.append(...this.#queue.map((message) => message.element).filter(Boolean));
      this.#offer(started.choices);
    }

    async #restore() {
      let history;
      try {
        history = (await this.#call(`/${this.#session.id}/messages`)).messages;
      } catch (error) {
        if (!(error instanceof DeskError) || ![401, 403, 404].includes(error.status)) throw error;
        this.#forget();
        return;
      }
      this.#parts.messages.replaceChildren();
      this.#shown.clear();
      for (const entry of history) this.#entry(entry);
      const told = new Set(history.map((entry) => entry.client_id));
      this.#queue = this.#queue.filter((message) => !told.has(message.clientId));
      for (const message of this.#queue) message.element = this.#show("customer", message.text);
      const last = history[history.length - 1] || {};
      this.#hand(last.ticket_id);
      this.#offer(last.choices);
      this.#loaded = true;
    }

    #send(text, choice) {
      const message = { text, choice, clientId: freshId(), tried: 0 };
      this.#offer([]);
      message.element = this.#show("customer", text);
      this.#queue.push(message);
      this.#keepQueue();
      this.#tell("message", { text });
      this.#deliver();
    }

    #keepQueue() {
      this.#remember({ queue: this.#queue.map(({ text, choice, clientId }) => ({ text, choice, clientId })) });
    }

    /** Send the oldest unanswered message; once more by itself if the desk cannot be reached, then on demand. */
    async #deliver() {
      const message = this.#queue[0];
      if (!message || this.#busy || !this.isConnected) return;
      clearTimeout(this.#timers.retry);
      this.#busy = true;
      this.#note(message, "");
      this.#type(true);
      try {
        if (!this.#session || !this.#loaded) await this.#begin();
        if (!this.#session) throw new Error("there is no session yet");
        const { text, choice, clientId } = message;
        const turn = await this.#call(`/${this.#session.id}/messages`, { text, client_id: clientId, ...(choice && { choice }) });
        this.#queue.shift();
        this.#type(false);
        this.#hear(turn);
      } catch (error) {
        this.#type(false);
        this.#undelivered(message, error);
      } finally {
        this.#busy = false;
        this.#keepQueue();
      }
      if (this.#queue.length && this.#queue[0] !== message) this.#deliver();
    }

    #undelivered(message, error) {
      const status = error instanceof DeskError ? error.status : 0;
      message.tried += 1;
      if ([401, 403, 404].includes(status) && message.tried === 1) {
        this.#forget(); // the desk no longer knows the session: a new one takes the message
        this.#timers.retry = setTimeout(() => this.#deliver(), 0);
      } else if (status === 422) {
        this.#queue.shift();
        this.#note(message, message.text.length >= MAX_MESSAGE ? "too_long" : "failed");
      } else if (message.tried < 2) {
        this.#note(message, "waiting");
        if (navigator.onLine) this.#timers.retry = setTimeout(() => this.#deliver(), RETRY_AFTER);
      } else {
        this.#note(message, "failed", true);
      }
      this.#tell("error", { error });
    }

    #hear(turn) {
      this.#speak(turn.locale);
      const [first] = turn.messages.map((message) => this.#show("bot", message.text, message.source));
      this.#hand(turn.ticket_id);
      this.#offer(turn.choices);
      this.#scroll(first);
      this.#watch();
      this.#tell("turn", turn);
    }

    /** A person has taken over: look for the answer while the chat is open and seen. */
    #hand(ticket) {
      if (ticket) this.#ticket = ticket;
      this.#parts.person.hidden = Boolean(this.#ticket);
    }

    #watch() {
      clearInterval(this.#timers.look);
      if (this.#ticket && !this.#parts.panel.hidden) this.#timers.look = setInterval(this.#seen, LOOK_EVERY);
    }

    async #look() {
      if (!this.#ticket || !this.#session || document.hidden || this.#busy || this.#parts.panel.hidden) return;
      try {
        const { messages } = await this.#call(`/${this.#session.id}/messages`);
        for (const entry of messages) if (entry.role === "agent" && !this.#shown.has(entry.id)) this.#entry(entry);
      } catch (error) {
        this.#tell("error", { error }); // the next look tries again
      }
    }

    // -- the screen -----------------------------------------------------------------------------------------

    #build() {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      this.#root.adoptedStyleSheets = [sheet];
      const p = this.#parts;
      p.launcher = make("button", { type: "button", className: "launcher", "aria-haspopup": "dialog" }, icon(ICONS.chat));
      p.title = make("h2", { id: "title" });
      p.close = make("button", { type: "button" }, icon(ICONS.close));
      p.messages = make("div", { className: "log", role: "log", "aria-live": "polite", tabIndex: 0 });
      p.typing = make("div", { className: "message" }, make("div", { className: "bubble typing" }, make("i"), make("i"), make("i")));
      p.typing.hidden = true;
      p.typed = make("span", { className: "quiet" });
      p.typing.append(p.typed);
      p.choices = make("div", { className: "choices", role: "group" });
      p.again = make("button", { type: "button" });
      p.problem = make("span");
      p.trouble = make("div", { className: "note problem", role: "alert", hidden: true }, p.problem, " ", p.again);
      p.input = make("textarea", { rows: 1, maxLength: MAX_MESSAGE, enterKeyHint: "send" });
      p.send = make("button", { className: "send", "aria-disabled": "true" }, icon(ICONS.send));
      p.form = make("form", {}, p.input, p.send);
      p.person = make("button", { type: "button", className: "person" });
      p.panel = make(
        "section",
        { className: "panel", role: "dialog", "aria-labelledby": "title", hidden: true },
        make("header", {}, p.title, p.close), p.messages, p.choices, make("footer", {}, p.trouble, p.form, p.person),
      );
      this.#root.append(p.launcher, p.panel);

      p.launcher.addEventListener("click", () => this.open());
      p.close.addEventListener("click", () => this.close());
      p.again.addEventListener("click", () => this.#begin());
      p.person.addEventListener("click", () => this.#press({ label: this.#word("person"), value: "person" }));
      p.panel.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || event.isComposing) return;
        event.stopPropagation();
        this.close();
      });
      p.form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#submit();
      });
      p.input.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        this.#submit();
      });
      p.input.addEventListener("input", () => this.#fit());
    }

    #submit() {
      const text = this.#parts.input.value.trim();
      if (!text) return;
      this.#parts.input.value = "";
      this.#fit();
      this.#send(text);
    }

    #press(choice) {
      this.#send(choice.label, choice.value);
      this.#parts.input.focus();
    }

    #fit() {
      const { input, send } = this.#parts;
      input.style.height = "auto";
      input.style.height = `${Math.min(input.scrollHeight + 3, 132)}px`;
      send.setAttribute("aria-disabled", String(!input.value.trim()));
    }

    #word(name) {
      const labels = this.#strings[this.#locale] || FIRST_LABELS[this.#locale];
      return labels[name] || FIRST_LABELS[this.#locale][name] || FIRST_LABELS.en[name] || "";
    }

    #label() {
      const p = this.#parts;
      p.panel.lang = p.launcher.lang = this.#locale;
      p.launcher.setAttribute("aria-label", this.#word("open"));
      p.launcher.title = this.#word("open");
      p.close.setAttribute("aria-label", this.#word("close"));
      p.close.title = this.#word("close");
      p.title.textContent = this.#word("title");
      p.messages.setAttribute("aria-label", this.#word("log") || this.#word("title"));
      p.choices.setAttribute("aria-label", this.#word("choices"));
      p.input.setAttribute("aria-label", this.#word("input"));
      p.input.placeholder = this.#word("placeholder") || this.#word("input");
      p.send.setAttribute("aria-label", this.#word("send"));
      p.person.textContent = this.#word("person");
      p.person.hidden = Boolean(this.#ticket) || !p.person.textContent;
      p.typed.textContent = this.#word("typing");
      p.problem.textContent = this.#word("unavailable");
      p.again.textContent = this.#word("retry");
    }

    #speak(locale) {
      if (known(locale)) this.setLocale(locale);
    }

    #entry(entry) {
      this.#shown.add(entry.id);
      this.#show(entry.role, entry.text, entry.source);
    }

    #show(role, text, source) {
      const by = { customer: "you", agent: "agent", bot: "assistant" }[role] || "assistant";
      const bubble = make("div", { className: "bubble" }, make("span", { className: "quiet" }, `${this.#word(by)}: `));
      if (role === "bot") bubble.append(...rich(text));
      else bubble.append(make("span", { className: "plain" }, text));
      const message = make("div", { className: `message ${role}` }, bubble);
      if (role === "agent") message.append(make("div", { className: "note" }, this.#word("agent")));
      if (String(source || "").startsWith("article:")) message.append(make("div", { className: "note" }, this.#word("article")));
      const { messages, typing } = this.#parts;
      messages.insertBefore(message, typing.parentNode === messages ? typing : null);
      this.#scroll();
      return message;
    }

    #note(message, name, again = false) {
      if (!message.element) return;
      message.element.querySelector(".note")?.remove();
      if (!name) return;
      const note = make("div", { className: `note${name === "waiting" ? "" : " problem"}` }, this.#word(name));
      if (again) {
        const button = make("button", { type: "button" }, this.#word("retry"));
        button.addEventListener("click", () => {
          this.#parts.input.focus();
          this.#deliver();
        });
        note.append(" ", button);
      }
      message.element.append(note);
      this.#scroll();
    }

    #type(on) {
      const { messages, typing } = this.#parts;
      typing.hidden = !on;
      if (on) messages.append(typing);
      else typing.remove();
      if (on) this.#scroll();
    }

    /** Buttons of the last turn; the one for a person stands below the input all the time. */
    #offer(choices) {
      this.#choices = (choices || []).filter((choice) => choice.value !== "person");
      const { choices: group } = this.#parts;
      group.replaceChildren(
        ...this.#choices.map((choice) => {
          const button = make("button", { type: "button" }, choice.label);
          button.addEventListener("click", () => this.#press(choice));
          return button;
        }),
      );
      group.hidden = !this.#choices.length;
      this.#scroll();
    }

    /** To the end, or no further than the start of `first`, so that a long answer is read from its top. */
    #scroll(first) {
      const { messages } = this.#parts;
      requestAnimationFrame(() => {
        const top = first ? first.offsetTop - messages.offsetTop - 12 : Infinity;
        messages.scrollTop = Math.min(top, messages.scrollHeight);
      });
    }

    #tell(name, detail = {}) {
      this.dispatchEvent(new CustomEvent(`paretodesk:${name}`, { detail }));
      for (const handler of this.#handlers.get(name) || []) handler(detail);
    }
  }

  customElements.define(NAME, ParetodeskChat);

  const attach = () => {
    let chat = document.querySelector(NAME);
    if (!chat) {
      chat = document.createElement(NAME);
      for (const name of ["site", "locale", "api", "theme"]) {
        if (script && script.dataset[name]) chat.setAttribute(name, script.dataset[name]);
      }
      document.body.append(chat);
    }
    window.paretodesk = {
      open: () => chat.open(),
      close: () => chat.close(),
      ask: (text) => chat.ask(text),
      setLocale: (locale) => chat.setLocale(locale),
      on: (name, handler) => chat.on(name, handler),
    };
    window.dispatchEvent(new Event("paretodesk:ready"));
  };
  if (document.body) attach();
  else addEventListener("DOMContentLoaded", attach);
})();
