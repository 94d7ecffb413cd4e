import { describe, expect, it } from 'vitest';
import { behaviourOf } from './frame-refusal.ts';

const AT = new URL('http://a.localhost:8000/shop/');
const look = (html: string) => behaviourOf(html, AT);

describe('a page that leaves frames', () => {
  it.each([
    ['the classic', '<script>if (top != self) top.location = self.location;</script>'],
    ['window by name', '<script>if (window.top !== window.self) { window.top.location.href = location.href }</script>'],
    [
      'the other way round',
      '<script type="text/javascript">if(self!=top){top.location.replace(location.href)}</script>',
    ],
    ['else', '<script>if (self == top) { x() } else { top.location = self.location }</script>'],
    ['minified', '<script>!function(n){n.top!==n&&(n.top.location=n.location)}(window)</script>'],
    ['by location', '<script>if (parent.location != location) parent.location.assign("/")</script>'],
    ['by the number of frames', '<script>if (parent.frames.length > 0) parent.location.href = location.href</script>'],
    ['when it has loaded', '<body onload="if (top !== self) top.location = self.location">'],
    ['hidden until it is alone', '<style>html { display : none; }</style><script>if (self === top) show()</script>'],
    ['in a cut page', '<p><script>if (top !== self) top.location = location'],
  ])('%s', (_, html) => expect(look(html)).toMatchObject({ leavesFrames: true }));
});

describe('a page that stays', () => {
  it.each([
    ['that asks and does nothing', '<script>const framed = window.self !== window.top; report(framed)</script>'],
    [
      'that leads on far away from the question',
      `<script>if (top !== self) a();${' '.repeat(900)}top.location = "/"</script>`,
    ],
    ['that leads the window on without a question', '<script>function out() { top.location = "/login" }</script>'],
    ['as jQuery asks', '<script>(n=d.defaultView)&&n.top!==n&&n.attachEvent("onunload",f)</script>'],
    ['in a comment', '<!-- <script>if (top != self) top.location = self.location</script> -->'],
    ['in words', '<pre>if (top != self) top.location = self.location;</pre>'],
    ['as data', '<script type="text/template">if (top != self) top.location = self.location</script>'],
    ['without scripts only', '<noscript><meta http-equiv="refresh" content="0; url=https://b.example/"></noscript>'],
    ['with a part hidden', '<style>body .menu { display: none }</style><script>if (self === top) a()</script>'],
    ['that loads itself again', '<meta http-equiv="refresh" content="30">'],
    ['for half an hour', '<meta http-equiv="refresh" content="1800; url=https://b.example/signed-out">'],
  ])('%s', (_, html) => expect(look(html)).toMatchObject({ leavesFrames: false, refreshTo: undefined }));
});

it('tells where a page leads on to, and what scripts it fetches', () => {
  const page = look(`<!doctype html><base href="/app/"><META HTTP-EQUIV=Refresh CONTENT="0;URL='login?a=1&amp;b=2'">
    <script src="js/one.js?v=1"></script><script src=https://cdn.example/two.js async></script>
    <script src='three.js' type=module></script><a title="a > b" href=x>`);
  expect(page.refreshTo?.href).toBe('http://a.localhost:8000/app/login?a=1&b=2');
  expect(page.scripts.map(({ href }) => href)).toEqual([
    'http://a.localhost:8000/app/js/one.js?v=1',
    'https://cdn.example/two.js',
    'http://a.localhost:8000/app/three.js',
  ]);
});

it('takes any text for what it is worth', () => {
  for (const text of ['', '<', '<!--', '<script', '<script src="', "<a href='", '</', '<meta http-equiv=refresh>'])
    expect(look(text.repeat(3))).toEqual({ refreshTo: undefined, leavesFrames: false, hidden: false, scripts: [] });
});
