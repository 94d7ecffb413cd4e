/**
 * Every text that visitors see, in English; the other catalogues follow this one. `{name}` stands for what is put in. A
 * text with `one` and `other` is chosen by the number `count`, by the plural forms of its language.
 * One with placeholders is a single literal, however long, because the compiler reads them in it.
 */
export const en = {
  'site.title': 'Try It Now',
  'site.skip': 'Skip to the content',
  'site.promise': 'Every copy is private to the one who started it, and gone when its time is up.',
  'site.api': 'API',
  'site.back': 'Back to the start',

  'home.heading': 'A running app of your own, {emphasis}',
  'home.heading_emphasis': 'one click away',
  'home.intro':
    'No sign-up, nothing to install. Pick one, and you are in a fresh copy that belongs to you alone until its time ' +
    'is up.',
  'home.paused': 'Paused',
  'home.ready': 'Ready now',
  'home.warming': 'Ready in a moment',
  'home.terms': 'Yours for {time}',
  'home.terms_extendable': 'Yours for {time}, up to {longest} if you like',
  'home.try': 'Try it now',
  'home.try_label': 'Try it now: {app}',
  'home.starting': 'Starting…',
  'home.time_left': 'Yours · {time} left',
  'home.open': 'Open yours',
  'home.open_label': 'Open yours: {app}',
  'home.extend': '+{time}',
  'home.extend_label': '+{time} for your copy of {app}',
  'home.export': 'Download',
  'home.export_label': 'Download what is in your copy of {app}',
  'home.end': 'End it',
  'home.end_label': 'End it: your copy of {app}',
  'home.pause': 'No copies are handed out for the moment. Please come back a little later.',
  'home.pause_held': 'No new copies are handed out for now. Yours stays until its time is up.',
  'home.pause_held_ending': 'No new copies are handed out for now. Yours ends in {time} at the latest.',
  'home.operators_say': 'The operators say: {reason}',
  'home.notice_ended': 'Ended. Everything in that copy is gone.',
  'home.notice_extended': 'Done: you have more time.',
  'home.notice_extension_limit': 'This copy has reached its longest stay and cannot be kept any longer.',
  'home.notice_gone': 'That copy had already ended.',

  'hand_over.title': 'Opening {app}',
  'hand_over.heading': 'Opening your {app}',
  'hand_over.text': 'It is ready, and you go in by yourself.',
  'hand_over.open': 'Open it',

  'visit.skip': 'Skip to the app',
  'visit.time_left': 'Time left',
  'visit.ending': 'Ending soon',
  'visit.ended': 'Ended',
  'visit.extend': '+{time}',
  'visit.extend_label': 'Keep it {time} longer',
  'visit.stay': 'I am still here',
  'visit.more': 'More',
  'visit.share': 'Share',
  'visit.own_tab': 'Own tab',
  'visit.export': 'Download your work',
  'visit.export_missed':
    'What you made in it could be downloaded while it ran. In the next one, “Download your work” in the bar does so.',
  'visit.end': 'End',
  'visit.open': 'Open your {app}',
  'visit.five_minutes': 'Five minutes left',
  'visit.one_minute': 'One minute left',
  'visit.unused': 'Are you still there? This copy ends soon because nobody uses it.',
  'visit.extended': 'Done: you have more time.',
  'visit.stays': 'Good, it stays.',
  'visit.extension_limit': 'This copy has reached its longest stay.',
  'visit.no_answer': 'The server does not answer right now. Please try again.',
  'visit.ended_heading': 'Your {app} has ended',
  'visit.ended_text': 'It was removed with everything that was in it. You can start a fresh one whenever you like.',
  'visit.again': 'Start another',
  'visit.share_heading': 'Share this copy',
  'visit.share_text':
    'Whoever has this address can use the copy and see what is in it, until it ends. Nobody else can ' +
    'keep it longer or end it.',
  'visit.share_address': 'Address of this copy',
  'visit.copy': 'Copy the address',
  'visit.copied': 'Copied',
  'visit.not_copied': 'Your browser does not allow it; the address is selected, copy it yourself.',
  'visit.close': 'Close',
  'visit.end_heading': 'End this copy?',
  'visit.end_text': 'Everything in it is gone then, for everybody who has its address.',
  'visit.end_now': 'End it',
  'visit.keep': 'Keep it',

  'waiting.title': 'Preparing {app}',
  'waiting.heading': 'Preparing your {app}',
  'waiting.preparing':
    'Every warm copy was taken just now. A fresh one usually takes a few seconds, and you go in as soon as it is ' +
    'ready. There is nothing to click.',
  'waiting.failing':
    'The last copies could not be started. That is our fault, not yours; it is tried again by itself, and you go in ' +
    'as soon as one is ready.',
  'waiting.full':
    'As many copies as there is room for are in use. You go in as soon as one has ended and a fresh one is ready.',
  'waiting.waited': 'Waiting for {time}',
  'waiting.progress_failing': 'The last starts failed; it is tried again',
  'waiting.progress_full': 'All copies are in use; waiting for room for another',
  'waiting.progress_looking': 'Looking for a copy',
  'waiting.progress_warming': { one: 'One copy is being prepared', other: '{count} copies are being prepared' },
  'waiting.next': 'You are next',
  'waiting.position': 'You are number {position} in the line',
  'waiting.eta': 'about {time}',
  'waiting.leave': 'Stop waiting',
  'waiting.no_answer': 'The server does not answer right now; still trying',
  'waiting.no_connection': 'No connection right now; still trying',
  'waiting.gave_up_title': '{app} is not ready yet',
  'waiting.gave_up_heading': 'This takes longer than it should',
  'waiting.gave_up_text':
    'No copy of {app} became ready within {time}, so we stopped trying. That is our fault, not yours.',
  'waiting.again': 'Try again',

  'failure.hourly_limit.heading': 'That was plenty for one hour',
  'failure.hourly_limit.text': 'Your address has started as many copies as one may within an hour.',
  'failure.daily_limit.heading': 'That was plenty for one day',
  'failure.daily_limit.text': 'Your address has started as many copies as one may within a day.',
  'failure.unknown_template.heading': 'There is no such app here',
  'failure.unknown_template.text': 'It may have been taken off the list, or the address has a typo.',
  'failure.unknown_instance.heading': 'This copy has ended',
  'failure.unknown_instance.text': 'Everything in it is gone. You can start a fresh one whenever you like.',
  'failure.landing_not_allowed.heading': 'That link leads nowhere',
  'failure.landing_not_allowed.text':
    'The app does not let visitors land where the link points. Start from the first page instead.',
  'failure.unknown_route.heading': 'There is nothing here',
  'failure.unknown_route.text': 'The address has a typo, or what was here is gone.',
  'failure.foreign_origin.heading': 'That click came from another site',
  'failure.foreign_origin.text': 'So nothing was done. Start from our own page and it will work.',
  'failure.store_unavailable.heading': 'We cannot hand out copies right now',
  'failure.store_unavailable.text':
    'Something we need does not answer. Copies that already run go on running; please try again in a minute.',
  'failure.pool_paused.heading': 'Taking a break',
  'failure.pool_paused.text':
    'The operators hand out no copies of this for the moment. Copies that already run go on running; please come ' +
    'back a little later.',
  'failure.pool_empty.heading': 'There are no copies of this right now',
  'failure.pool_empty.text': 'None are being prepared either, so there is no use in waiting. Please come back later.',
  'failure.shutting_down.heading': 'Back in a moment',
  'failure.shutting_down.text': 'This server is being restarted. Please try again in a few seconds.',
  'failure.internal_error.heading': 'Something went wrong here',
  'failure.internal_error.text': 'It is in our log. Please try again; if it stays, tell us the number below.',
  'failure.export_failed.heading': 'The download did not work',
  'failure.export_failed.text':
    'The app could not give what you made. It may work in a moment; your copy goes on meanwhile.',
  'failure.export_too_large.heading': 'That is too much to download',
  'failure.export_too_large.text':
    'What is in your copy is larger than may be downloaded. Take something out, and try again.',
  'failure.export_busy.heading': 'A download is under way',
  'failure.export_busy.text': 'Wait until it is done, and try again if you still need to.',
  'failure.other.heading': 'That did not work',
  'failure.other.text': 'We could not do what your browser asked for. Start again from the first page.',
  'failure.next_one': 'The next one is possible in about {time}. What you have open stays yours.',
  'failure.request_number': 'Number of this request: {number}',

  'problem.status': '{code} · HTTP status {status}',
  'problem.retryable': 'The same request may succeed later without being changed.',
  'problem.not_retryable': 'The same request will fail again until it is changed.',

  'ended.title': 'This copy has ended',
  'ended.text':
    'Nothing runs at this address. A copy lives for a limited time; then it is removed with everything that was in ' +
    'it. One that breaks down ends early.',
  'ended.reload': 'Were you in the middle of something? Reload once. If you see this again, it is gone.',
  'ended.start': 'Start a new one',
  'unreachable.title': 'One moment',
  'unreachable.text': 'Your copy does not answer right now. It is busy or starting again, or it has just ended.',
  'unreachable.retry': 'This page tries again every {time}, and says so when the copy is gone.',
  'silent.title': 'No answer yet',
  'silent.text': `Your copy took the request, but nothing came back within {time}. The app in it hangs, or this \
takes it longer than that.`,
  'silent.reload':
    'What you asked for may still be done: look before you do it again. Reload to see whether it answers now.',
} as const;
