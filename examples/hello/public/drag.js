const dragAfterPx = 4;
const keyStep = 0.02;
const keySteps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const clamp = (value) => Math.min(1, Math.max(0, value));

/**
 * Moves an element within its parent by mouse, pen, finger or (on its grip) arrow keys. Positions are shares (0..1) of
 * the free way. A press without a movement is a tap.
 */
export function makeDraggable(element, { position, move, tap }) {
  const grip = element.querySelector('.grip');
  let press;

  /** Where the note belongs when the pointer is at (x, y). */
  const positionAt = ({ clientX, clientY }) => {
    const box = element.parentElement.getBoundingClientRect();
    return {
      x: clamp(press.from.x + (clientX - press.clientX) / Math.max(1, box.width - element.offsetWidth)),
      y: clamp(press.from.y + (clientY - press.clientY) / Math.max(1, box.height - element.offsetHeight)),
    };
  };

  element.addEventListener('pointerdown', (event) => {
    const onControl = event.target.closest('.delete, .swatches') !== null;
    const writing = event.target.closest('.text') === document.activeElement && event.target.closest('.text') !== null;
    if (event.button !== 0 || !event.isPrimary || onControl || writing) return;
    const { x, y } = position();
    press = {
      clientX: event.clientX,
      clientY: event.clientY,
      from: { x, y },
      onGrip: event.target.closest('.grip') !== null,
    };
    element.setPointerCapture(event.pointerId);
    if (!press.onGrip) event.preventDefault();
  });

  element.addEventListener('pointermove', (event) => {
    if (press === undefined) return;
    const far = Math.hypot(event.clientX - press.clientX, event.clientY - press.clientY) > dragAfterPx;
    if (!element.classList.contains('dragged') && !far) return;
    element.classList.add('dragged');
    move(positionAt(event), false);
  });

  const release = (event) => {
    if (press === undefined) return;
    const wasDragged = element.classList.contains('dragged');
    element.classList.remove('dragged');
    if (wasDragged) move(event.type === 'pointerup' ? positionAt(event) : position(), true);
    else if (event.type === 'pointerup' && !press.onGrip) tap();
    press = undefined;
  };
  element.addEventListener('pointerup', release);
  element.addEventListener('pointercancel', release);

  grip.addEventListener('keydown', (event) => {
    const step = keySteps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const by = event.shiftKey ? 5 * keyStep : keyStep;
    move({ x: clamp(position().x + step[0] * by), y: clamp(position().y + step[1] * by) }, true);
  });
}
