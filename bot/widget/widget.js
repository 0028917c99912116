/* paretodesk chat widget: <script async src="https://desk.example/widget.js" data-site="demo"></script>
 *
 * Attributes of the script (or of your own <paretodesk-chat> element, without "data-"): data-site, data-locale,
 * data-api (base URL of the desk, default: where this script came from), data-theme ("light" or "dark"). An element with
 * the attribute "inline" fills its container instead of floating in the corner.
 * JavaScript, once the window has told "paretodesk:ready": window.paretodesk.open(), .close(), .ask("text"),
 * .setLocale("de"), .setOrder("026-1234567-1234567"), .on("open" | "close" | "message" | "turn" | "rating" | "error",
 * handler) -> a function that takes the handler off again.
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
  const MAX_MESSAGE = 4000;
  const RETRY_AFTER = 3000; // ms until the one automatic resend
  const GIVE_UP_AFTER = 20000; // ms without an answer
  const LOOK_EVERY = 10000; // ms between looks for a person's reply
  const MAX_COMMENT = 2000;
  const MAX_ORDER = 60;
  const STREAM = "text/event-stream";

  // The desk serves this script with the labels of every language that it speaks in place of these few.
  const LABELS = /* labels */ {
    en: { open: "Open chat", close: "Close chat", title: "Help and contact", log: "Conversation", input: "Your message", send: "Send", unavailable: "The chat is not available at the moment. Please try again later.", retry: "Try again" },
  } /* end of labels */;
  const LOCALES = Object.keys(LABELS);

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
  .bubble a { color: inherit; text-underline-offset: 2px; }
  .bubble code { font-family: ui-monospace, monospace; font-size: .92em; }
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
  .rating { flex: none; max-height: 55%; overflow-y: auto; margin: 0; padding: 10px 16px 12px; border: 0;
    border-top: 1px solid var(--border); display: flex; flex-direction: column; gap: 10px; align-items: stretch; }
  fieldset { margin: 0; padding: 0; border: 0; min-width: 0; }
  legend { padding: 0 0 8px; font-weight: 600; line-height: 1.35; overflow-wrap: anywhere; hyphens: auto; }
  .scale { display: flex; flex-wrap: wrap; gap: 4px; }
  .scale label { position: relative; flex: 1 1 22px; min-width: 22px; }
  .scale input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: pointer; }
  .scale span { display: grid; place-items: center; min-height: 40px; border: 1.5px solid var(--muted);
    border-radius: 10px; font-weight: 600; }
  .scale input:checked + span { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
  .scale input:focus-visible + span { outline: 3px solid var(--accent); outline-offset: 2px; }
  .ends { display: flex; justify-content: space-between; gap: 12px; padding-top: 4px; font-size: 13px; line-height: 1.3;
    color: var(--muted); }
  .ends span { overflow-wrap: anywhere; hyphens: auto; }
  .ends span + span { text-align: end; }
  .actions { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
  .actions button { min-height: 40px; padding: 6px 14px; border-radius: 12px; border: 1.5px solid var(--accent);
    background: var(--accent); color: var(--on-accent); font-weight: 600; line-height: 1.3; }
  .actions button[aria-disabled="true"] { opacity: .55; cursor: default; }
  .actions .skip { border-color: transparent; background: none; color: var(--muted); font-weight: 400;
    text-decoration: underline; text-underline-offset: 3px; }
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
  :host([inline]) { position: static; inset: auto; display: block; height: 100%; }
  :host([inline]) .panel { width: 100%; height: 100%; border: 0; border-radius: 0; box-shadow: none; animation: none; }
  @media (max-width: 480px) { :host([opened]:not([inline])) { inset: 0; }
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

  /** The address of a link that may be followed, else null: encrypted pages and mail only, never a script. */
  const followed = (address) => {
    try {
      const { protocol, href } = new URL(address);
      return protocol === "https:" || protocol === "mailto:" ? href : null;
    } catch {
      return null; // relative or broken
    }
  };

  /** Bold, italics, code and links of one line as DOM nodes; everything else stays the text it is. */
  const inline = (line) => {
    const nodes = [];
    let rest = line;
    for (;;) {
      const found = /\*\*([^*]+)\*\*|(?<![*\w])\*([^*\s][^*]*)\*(?![*\w])|`([^`]+)`|\[([^\][]+)\]\(([^\s()]+)\)/.exec(rest);
      if (!found) return [...nodes, rest];
      const [all, bold, italics, code, words, address] = found;
      const link = words && followed(address);
      nodes.push(rest.slice(0, found.index));
      if (bold) nodes.push(make("strong", {}, bold));
      else if (italics) nodes.push(make("em", {}, italics));
      else if (code) nodes.push(make("code", {}, code));
      else if (link) nodes.push(make("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, words));
      else nodes.push(all);
      rest = rest.slice(found.index + all.length);
    }
  };

  /** Paragraphs and lists of light Markdown as DOM nodes. */
  const rich = (text) => {
    const blocks = [];
    let list = null;
    let lines = null;
    for (const raw of text.split("\n")) {
      const line = raw.trim();
      const item = /^(?:([-*•])|(\d{1,3})[.)])\s+(.*)$/.exec(line);
      if (!line) {
        lines = null;
      } else if (item) {
        const kind = item[1] ? "ul" : "ol";
        if (!list || list.localName !== kind) blocks.push((list = make(kind)));
        if (kind === "ol" && !list.childElementCount) list.start = Number(item[2]);
        list.append((lines = make("li", {}, ...inline(item[3]))));
      } else if (lines) {
        if (lines.localName === "li") lines.append(" ", ...inline(line));
        else lines.append(make("br"), ...inline(line));
      } else {
        list = null;
        const heading = /^#{1,6}\s+(.*)$/.exec(line);
        blocks.push((lines = heading ? make("p", {}, make("strong", {}, heading[1])) : make("p", {}, ...inline(line))));
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
    #locale = LOCALES[0];
    #queue = []; // messages not yet answered: {text, choice, clientId, tried}
    #kept = {}; // what #remember was told, for where storage is blocked
    #shown = new Set(); // ids of history entries on the screen
    #choices = [];
    #ticket = null;
    #order = null; // the order of the page that the customer looks at
    #asked = null; // source of the bot's last words
    #nps = false; // whether to ask for a recommendation too
    #busy = false;
    #rating = false;
    #ready = null; // promise of the running start
    #loaded = false; // whether the history is on the screen
    #timers = {};
    #online = () => this.#deliver();
    #seen = () => this.#look();

    connectedCallback() {
      this.#locale = known(this.getAttribute("locale")) || known(document.documentElement.lang) || known(navigator.language) || LOCALES[0];
      this.#recall();
      if (!this.#root.childElementCount) this.#build();
      this.#label();
      addEventListener("online", this.#online);
      document.addEventListener("visibilitychange", this.#seen);
      if (this.#inline || this.#memory().open) this.open({ focus: false });
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
      if (panel.hidden || this.#inline) return;
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

    /** The order that the page is about, null for none: offered as a button where the bot asks for one. No proof. */
    setOrder(order) {
      this.#order = String(order ?? "").trim().slice(0, MAX_ORDER) || null;
      this.#offer(this.#choices);
    }

    /** Call `handler` with the detail of each event `name`; returns a function that stops it. */
    on(name, handler) {
      if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
      this.#handlers.get(name).add(handler);
      return () => this.#handlers.get(name).delete(handler);
    }

    // -- memory ---------------------------------------------------------------------------------------------

    get #inline() {
      return this.hasAttribute("inline");
    }

    get #key() {
      return `paretodesk:${this.getAttribute("site") || "demo"}`;
    }

    #memory() {
      try {
        return JSON.parse(sessionStorage.getItem(this.#key)) || {};
      } catch {
        return this.#kept; // storage is blocked: the chat works, a reload starts anew
      }
    }

    #remember(changes) {
      this.#kept = { ...this.#memory(), ...changes };
      try {
        sessionStorage.setItem(this.#key, JSON.stringify(this.#kept));
      } catch {
        // see #memory
      }
    }

    #recall() {
      const { session, locale, queue, nps } = this.#memory();
      if (session) this.#session = session;
      this.#nps = Boolean(nps);
      if (known(locale)) this.#locale = locale;
      if (Array.isArray(queue)) this.#queue = queue.map((message) => ({ ...message, tried: 0 }));
    }

    #forget() {
      this.#session = this.#ticket = null;
      this.#loaded = false;
      this.#remember({ session: null, rated: false });
    }

    // -- the desk -------------------------------------------------------------------------------------------

    /** The desk's answer; with `hear`, each message of a streamed one is told as soon as it is there. */
    async #call(path, body, hear) {
      const base = this.getAttribute("api") || (script && script.src ? new URL(".", script.src).href : "/");
      const headers = { Accept: hear ? `${STREAM}, application/json` : "application/json" };
      if (this.#session) headers.Authorization = `Bearer ${this.#session.token}`;
      if (body) headers["Content-Type"] = "application/json";
      const patience = new AbortController();
      let timer = setTimeout(() => patience.abort(), GIVE_UP_AFTER);
      const again = () => {
        clearTimeout(timer);
        timer = setTimeout(() => patience.abort(), GIVE_UP_AFTER);
      };
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
        const streamed = (response.headers.get("Content-Type") || "").startsWith(STREAM);
        return await (streamed ? this.#read(response, hear, again) : response.json());
      } finally {
        clearTimeout(timer);
      }
    }

    /** The turn at the end of a stream of server-sent events. */
    async #read(response, hear, again) {
      const text = new TextDecoder();
      const reader = response.body.getReader();
      for (let rest = "", over = false; !over; ) {
        const { value, done } = await reader.read();
        over = done;
        rest += value ? text.decode(value, { stream: true }) : "";
        again();
        const blocks = rest.split(/\r?\n\r?\n/);
        rest = blocks.pop();
        for (const block of blocks) {
          const field = (name) => block.split(/\r?\n/).filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim()).join("\n");
          const event = field("event");
          if (event === "message") hear(JSON.parse(field("data")));
          if (event === "turn") return JSON.parse(field("data"));
        }
      }
      throw new Error("the answer broke off");
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
      this.#nps = Boolean(started.rating && started.rating.nps);
      this.#loaded = true;
      this.#remember({ session: this.#session, nps: this.#nps, rated: false });
      this.#speak(started.locale);
      for (const message of started.messages) this.#show("bot", message.text, message.source);
      // What the customer typed in the meantime comes after the greeting.
      this.#parts.messages.append(...this.#queue.map((message) => message.element).filter(Boolean));
      this.#offer(started.choices);
    }

    async #restore() {
      let history, resolved;
      try {
        ({ messages: history, resolved } = await this.#call(`/${this.#session.id}/messages`));
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
      this.#asked = last.source;
      this.#hand(last.ticket_id);
      this.#offer(last.choices);
      this.#loaded = true;
      if (resolved || last.act === "close") this.#rate();
    }

    #send(text, choice) {
      const message = { text, choice, clientId: freshId(), tried: 0 };
      this.#offer([]);
      this.#parts.rating.hidden = true;
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
      const heard = [];
      this.#note(message, "");
      this.#type(true);
      try {
        if (!this.#session || !this.#loaded) await this.#begin();
        if (!this.#session) throw new Error("there is no session yet");
        const { text, choice, clientId } = message;
        const body = { text, client_id: clientId, ...(choice && { choice }) };
        const hear = (said) => heard.push(this.#show("bot", said.text, said.source));
        // A second attempt asks for one piece: something on the way may not let streams through.
        const turn = await this.#call(`/${this.#session.id}/messages`, body, message.tried ? null : hear);
        this.#queue.shift();
        this.#type(false);
        this.#hear(turn, heard);
      } catch (error) {
        for (const element of heard) element.remove();
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

    #hear(turn, heard) {
      this.#speak(turn.locale);
      for (const { text, source } of turn.messages.slice(heard.length)) heard.push(this.#show("bot", text, source));
      const [first] = heard;
      this.#asked = turn.messages.length ? turn.messages[turn.messages.length - 1].source : null;
      this.#hand(turn.ticket_id);
      this.#offer(turn.choices);
      if (turn.act === "close") this.#rate();
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
        const { messages, resolved } = await this.#call(`/${this.#session.id}/messages`);
        for (const entry of messages) if (entry.role === "agent" && !this.#shown.has(entry.id)) this.#entry(entry);
        if (resolved) this.#rate();
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
      p.rating = make("form", { className: "rating", hidden: true });
      p.again = make("button", { type: "button" });
      p.problem = make("span");
      p.trouble = make("div", { className: "note problem", role: "alert", hidden: true }, p.problem, " ", p.again);
      p.input = make("textarea", { rows: 1, maxLength: MAX_MESSAGE, enterKeyHint: "send" });
      p.send = make("button", { className: "send", "aria-disabled": "true" }, icon(ICONS.send));
      p.form = make("form", {}, p.input, p.send);
      p.person = make("button", { type: "button", className: "person" });
      p.panel = make(
        "section",
        { className: "panel", role: this.#inline ? "region" : "dialog", "aria-labelledby": "title", hidden: true },
        make("header", {}, p.title, p.close), p.messages, p.choices, p.rating, make("footer", {}, p.trouble, p.form, p.person),
      );
      p.close.hidden = this.#inline;
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
      p.rating.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#submitRating();
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
      this.#send(choice.text || choice.label, choice.value);
      this.#parts.input.focus();
    }

    #fit() {
      const { input, send } = this.#parts;
      input.style.height = "auto";
      input.style.height = `${Math.min(input.scrollHeight + 3, 132)}px`;
      send.setAttribute("aria-disabled", String(!input.value.trim()));
    }

    #word(name) {
      return LABELS[this.#locale][name] || LABELS[LOCALES[0]][name] || "";
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
      const asksOrder = ["wording:ask_order", "wording:ask_order_id", "wording:order_not_verified"].includes(this.#asked);
      const offered = [...this.#choices];
      if (asksOrder && this.#order && offered.length) {
        offered.unshift({ label: this.#word("use_order").replace("{order}", () => this.#order), text: this.#order });
      }
      group.replaceChildren(
        ...offered.map((choice) => {
          const button = make("button", { type: "button" }, choice.label);
          button.addEventListener("click", () => this.#press(choice));
          return button;
        }),
      );
      group.hidden = !offered.length;
      this.#scroll();
    }

    // -- the rating -----------------------------------------------------------------------------------------

    /** Ask what the customer thinks of the conversation, once, without taking the focus. */
    #rate() {
      const { rating } = this.#parts;
      if (this.#memory().rated || !rating.hidden || !this.#session) return;
      this.#askRating("csat", 1, 5);
    }

    #askRating(scale, from, to) {
      const { rating } = this.#parts;
      const nps = scale === "nps";
      const numbers = Array.from({ length: to - from + 1 }, (_, step) => {
        const value = String(from + step);
        const radio = make("input", { type: "radio", name: scale, value });
        if (!nps) radio.setAttribute("aria-label", `${value}: ${this.#word(`rate_${value}`)}`);
        return make("label", { title: nps ? "" : this.#word(`rate_${value}`) }, radio, make("span", { "aria-hidden": "true" }, value));
      });
      if (nps) for (const label of numbers) label.firstChild.setAttribute("aria-label", label.firstChild.value);
      const ends = nps ? [this.#word("nps_low"), this.#word("nps_high")] : [this.#word("rate_1"), this.#word("rate_5")];
      const comment = make("textarea", { rows: 2, maxLength: MAX_COMMENT, hidden: true, "aria-label": this.#word("rate_comment"), placeholder: this.#word("rate_comment") });
      const send = make("button", { "aria-disabled": "true" }, this.#word("rate_send"));
      const skip = make("button", { type: "button", className: "skip" }, this.#word("rate_skip"));
      skip.addEventListener("click", () => this.#ratingOver());
      rating.replaceChildren(
        make("fieldset", {}, make("legend", {}, this.#word(nps ? "nps_title" : "rate_title")),
          make("div", { className: "scale" }, ...numbers), make("div", { className: "ends" }, ...ends.map((end) => make("span", {}, end)))),
        ...(nps ? [] : [comment]), make("div", { className: "actions" }, send, skip),
      );
      rating.onchange = () => {
        send.setAttribute("aria-disabled", "false");
        comment.hidden = false;
        this.#scroll();
      };
      rating.hidden = false;
      this.#scroll();
    }

    async #submitRating() {
      const { rating, input } = this.#parts;
      const chosen = rating.querySelector("input:checked");
      if (!chosen || this.#rating) return;
      const comment = (rating.querySelector("textarea")?.value || "").trim();
      const given = { [chosen.name]: Number(chosen.value), ...(comment && { comment }) };
      this.#rating = true;
      rating.querySelector(".problem")?.remove();
      try {
        await this.#call(`/${this.#session.id}/rating`, given);
      } catch (error) {
        if (!(error instanceof DeskError) || error.status !== 409) {
          // The buttons stay, so that it can be sent again.
          rating.append(make("div", { className: "note problem", role: "alert" }, this.#word("failed")));
          this.#tell("error", { error });
          return;
        }
      } finally {
        this.#rating = false;
      }
      this.#remember({ rated: true });
      this.#tell("rating", given);
      if (chosen.name === "csat" && this.#nps) {
        this.#askRating("nps", 0, 10);
        rating.querySelector("input").focus();
        return;
      }
      this.#ratingOver();
      const thanks = make("div", { className: "note" }, this.#word("rate_thanks"));
      this.#parts.messages.append(thanks);
      this.#scroll();
      input.focus();
    }

    #ratingOver() {
      const { rating, input } = this.#parts;
      this.#remember({ rated: true });
      const inside = rating.contains(this.#root.activeElement);
      rating.hidden = true;
      if (inside) input.focus();
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
      setOrder: (order) => chat.setOrder(order),
      on: (name, handler) => chat.on(name, handler),
    };
    window.dispatchEvent(new Event("paretodesk:ready"));
  };
  if (document.body) attach();
  else addEventListener("DOMContentLoaded", attach);
})();
