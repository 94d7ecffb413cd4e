const retryMs = 2000;

/**
 * Follows the board over Server-Sent Events. The browser reconnects by itself while the line is down; when the address
 * answers with something else (a board that is gone does), this asks on until it is back.
 */
export function followBoard({ onBoard, onNote, onRemoved, onWindows, onLost, onGone }) {
  const source = new EventSource('/api/events');
  const on = (name, handle) => source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  on('board', onBoard);
  on('windows', onWindows);
  on('change', (change) => (change.type === 'note' ? onNote(change.note) : onRemoved(change.id)));
  source.addEventListener('error', () => {
    onLost();
    if (source.readyState !== EventSource.CLOSED) return;
    onGone();
    setTimeout(() => followBoard({ onBoard, onNote, onRemoved, onWindows, onLost, onGone }), retryMs);
  });
}
