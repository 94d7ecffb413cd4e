export interface SseEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Reads Server-Sent Events as they come; comments are told as events named ':'. */
export async function* readEvents(response: Response): AsyncGenerator<SseEvent> {
  if (response.body === null) return;
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines
          .find((line) => line.startsWith(`${name}:`))
          ?.slice(name.length + 1)
          .trim();
      const data = field('data');
      if (lines[0]?.startsWith(':') === true) yield { event: ':', data: {} };
      else if (data !== undefined)
        yield { event: field('event') ?? 'message', data: JSON.parse(data) as Record<string, unknown> };
    }
  }
}
