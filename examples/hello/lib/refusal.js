/** A request that cannot be granted: the HTTP status, a stable code and a sentence for people. */
export class Refusal extends Error {
  constructor(status, code, message, headers = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}
