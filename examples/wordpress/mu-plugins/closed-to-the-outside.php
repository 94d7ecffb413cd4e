<?php
/*
 * Plugin Name: Closed to the outside
 * Description: Connections to the outside are closed here. WordPress is told so at once, instead of waiting for them on every other page.
 */

add_filter('pre_http_request', fn () => new WP_Error('http_request_not_executed', 'Connections to the outside are closed in this demo.'));
add_filter('pre_wp_mail', '__return_true');

// What would look for updates, news or suggestions.
foreach (['core', 'plugins', 'themes'] as $what) {
    add_filter("pre_site_transient_update_$what", fn () => (object) ['last_checked' => time(), 'version_checked' => $GLOBALS['wp_version'], 'updates' => [], 'response' => [], 'translations' => [], 'no_update' => []]);
}
add_filter('should_load_remote_block_patterns', '__return_false');
add_action('init', function () {
    remove_action('enqueue_block_editor_assets', 'wp_enqueue_editor_block_directory_assets');
    remove_action('enqueue_block_editor_assets', 'gutenberg_enqueue_block_editor_assets_block_directory');
    // These make the visitor's browser ask other sites for pictures.
    remove_action('wp_head', 'print_emoji_detection_script', 7);
    remove_action('admin_print_scripts', 'print_emoji_detection_script');
    add_filter('emoji_svg_url', '__return_false');
});
add_filter('pre_option_show_avatars', fn () => '0');
add_filter('block_editor_settings_all', fn ($settings) => ['enableOpenverseMediaCategory' => false] + $settings);
add_action('wp_dashboard_setup', function () {
    remove_meta_box('dashboard_primary', 'dashboard', 'side');
    remove_meta_box('dashboard_site_health', 'dashboard', 'normal');
});
