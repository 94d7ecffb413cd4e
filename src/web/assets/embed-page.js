/* global document, navigator, window */
// Copy buttons; without scripts there are none, and the snippets are selected by hand.

for (const button of document.querySelectorAll('[data-copy]')) {
  const snippet = button.closest('.snippet');
  const code = snippet.querySelector('code');
  const said = snippet.querySelector('[role=status]');
  button.hidden = false;
  button.addEventListener('click', async () => {
    const copied = await navigator.clipboard?.writeText(code.textContent).then(
      () => true,
      () => false,
    );
    if (!copied) window.getSelection().selectAllChildren(code);
    said.textContent = copied ? snippet.dataset.copied : snippet.dataset.notCopied;
  });
}
