const retryMs = 1500;

/**
 * Sends the changes of one note, one request at a time; what changes meanwhile goes together into the next one. So a
 * drag needs no throttle, and requests cannot overtake each other.
 */
export class NoteSync {
  #id;
  #waiting;
  #busy = false;
  #saved;
  #handlers;

  constructor(id, handlers) {
    this.#id = id;
    this.#handlers = handlers;
  }

  /** True while the server does not know the latest; what it tells about this note is older then. */
  get isBehind() {
    return this.#busy || this.#waiting !== undefined;
  }

  create(fields) {
    this.#send('PUT', fields);
  }

  change(fields) {
    const { method = 'PATCH', body } = this.#waiting ?? {};
    this.#send(method, { ...body, ...fields });
  }

  delete() {
    this.#send('DELETE', undefined);
  }

  #send(method, body) {
    this.#waiting = { method, body };
    if (!this.#busy) void this.#drain();
  }

  async #drain() {
    this.#busy = true;
    this.#saved = undefined;
    while (this.#waiting !== undefined) {
      const request = this.#waiting;
      this.#waiting = undefined;
      const done = await this.#attempt(request);
      if (done) continue;
      // Later changes win over the ones that could not be sent; a delete swallows all.
      const later = this.#waiting;
      this.#waiting =
        later?.method === 'DELETE' ? later : { method: request.method, body: { ...request.body, ...later?.body } };
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    this.#busy = false;
    if (this.#saved !== undefined) this.#handlers.onSaved(this.#saved);
  }

  /** False when it should be tried again. */
  async #attempt({ method, body }) {
    let response;
    try {
      response = await fetch(`/api/notes/${this.#id}`, {
        method,
        ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
      });
    } catch {
      return false;
    }
    if (response.ok) {
      this.#saved = method === 'DELETE' ? undefined : await response.json();
      return true;
    }
    if (response.status >= 500) return false;
    if (response.status === 404) this.#handlers.onGone();
    else this.#handlers.onRefused((await response.json().catch(() => ({}))).title ?? 'The board refused this change.');
    return true;
  }
}
