<?php
/*
 * Plugin Name: Yours to try
 * Description: Tells the visitor, who alone knows this shop's address, how to log in.
 */

function yours_to_try_credentials(): string
{
    return sprintf('<span>user <code>%s</code></span> <span>password <code>%s</code></span>', esc_html(TRY_IT_NOW_LOGIN), esc_html(TRY_IT_NOW_PASSWORD));
}

add_action('wp_body_open', function () {
    if (is_user_logged_in()) {
        return;
    }
    printf(
        '<aside class="yours-to-try" aria-label="Demo"><p><strong>This shop is yours alone to try.</strong> <span class="yours-to-try-how">%s</span></p><a href="%s">Log in</a></aside>',
        yours_to_try_credentials(),
        esc_url(wp_login_url(admin_url())),
    );
});
add_action('wp_enqueue_scripts', function () {
    if (!is_user_logged_in()) {
        wp_register_style('yours-to-try', false);
        wp_enqueue_style('yours-to-try');
        wp_add_inline_style('yours-to-try', yours_to_try_style());
    }
});

add_filter('login_message', fn ($message) => $message . sprintf('<div class="message yours-to-try-login"><strong>This shop is yours alone to try.</strong><br>%s<br>Everything in it is gone when your time is up.</div>', yours_to_try_credentials()));
add_action('login_enqueue_scripts', function () {
    echo '<style>.yours-to-try-login { line-height: 1.7 } .yours-to-try-login span { display: inline-block; margin-right: 1em } .yours-to-try-login code { user-select: all; font-size: 14px }</style>';
});
// One click instead of typing; what the visitor has typed stays.
add_action('login_footer', function () {
    printf(
        '<script>for (const [id, value] of %s) { const field = document.getElementById(id); if (field && field.value === "") field.value = value; }</script>',
        wp_json_encode([['user_login', TRY_IT_NOW_LOGIN], ['user_pass', TRY_IT_NOW_PASSWORD]]),
    );
});
add_filter('login_headerurl', fn () => home_url('/'));
add_filter('login_headertext', fn () => get_bloginfo('name'));

function yours_to_try_style(): string
{
    return <<<'CSS'
    .yours-to-try { display: flex; align-items: center; justify-content: center; gap: .5rem 1.25rem; padding: .7rem 1.25rem; background: #21352b; color: #f6f1e7; font: 400 15px/1.5 "DM Sans", system-ui, sans-serif; }
    .yours-to-try p { margin: 0; }
    .yours-to-try span span { display: inline-block; margin-left: .8rem; white-space: nowrap; }
    .yours-to-try code { padding: .1em .45em; border-radius: 4px; background: rgb(255 255 255 / 14%); color: #fff; font-size: 14px; user-select: all; }
    .yours-to-try a { flex: none; padding: .3rem 1rem; border-radius: 99px; background: #f6f1e7; color: #21352b; font-weight: 700; text-decoration: none; }
    .yours-to-try a:hover, .yours-to-try a:focus-visible { background: #fff; text-decoration: underline; }
    @media (max-width: 640px) {
      .yours-to-try { justify-content: space-between; font-size: 14px; }
      .yours-to-try span span { margin: 0 .6rem 0 0; }
      .yours-to-try-how { display: block; }
    }
    CSS;
}
