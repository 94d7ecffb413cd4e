<?php
// Run in a container of this image by make-seed.sh: installs WordPress into the empty database named in the environment
// and fills the shop. Everything is dated, so that two runs give the same rows; nothing secret is made.

require_once '/app/own.php';

const FIRST_DAY = '2024-03-01 09:00:00';

mkdir(OWN_FOLDER, 0700);
$own = ['DB_HOST' => 'localhost:' . getenv('TRY_IT_NOW_DATABASE_SOCKET'), 'WP_HOME' => SEED_URL, 'WP_SITEURL' => SEED_URL, 'TRY_IT_NOW_LOGIN' => '', 'TRY_IT_NOW_PASSWORD' => ''];
foreach (['NAME', 'USER', 'PASSWORD'] as $name) {
    $own["DB_$name"] = (string) getenv("TRY_IT_NOW_DATABASE_$name");
}
file_put_contents(OWN_FILE, '<?php return ' . var_export($own, true) . ';');

$_SERVER += ['HTTP_HOST' => 'shop.invalid', 'REQUEST_METHOD' => 'GET', 'REQUEST_URI' => '/', 'SERVER_PROTOCOL' => 'HTTP/1.1'];
define('WP_INSTALLING', true);
require '/app/wordpress/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';

wp_install('Fernhill', 'demo', 'demo@shop.invalid', true, '', wp_generate_password(40));
$content = require __DIR__ . '/content.php';
$user = get_user_by('login', 'demo')->ID;
wp_set_current_user($user);
kses_remove_filters();

foreach (get_posts(['post_type' => 'any', 'post_status' => 'any', 'numberposts' => -1]) as $post) {
    wp_delete_post($post->ID, true);
}
wp_update_term(1, 'category', ['name' => 'Journal', 'slug' => 'journal']);
$shop = wp_insert_term('Shop', 'category', ['slug' => 'shop'])['term_id'];
if ($shop !== 2) {
    throw new RuntimeException("the theme expects the shop to be category 2, but it is $shop");
}

$day = new DateTimeImmutable(FIRST_DAY);
function next_date(): array
{
    global $day;
    $day = $day->modify('+3 days');
    $text = $day->format('Y-m-d H:i:s');
    return ['post_date' => $text, 'post_date_gmt' => $text];
}

/** @param list<string> $texts */
function paragraphs(array $texts): string
{
    return implode("\n\n", array_map(fn ($text) => "<!-- wp:paragraph -->\n<p>$text</p>\n<!-- /wp:paragraph -->", $texts));
}

/** @param list<string> $items */
function bullets(array $items): string
{
    $lines = array_map(fn ($item) => "<!-- wp:list-item -->\n<li>$item</li>\n<!-- /wp:list-item -->", $items);
    return "<!-- wp:list -->\n<ul>" . implode("\n", $lines) . "</ul>\n<!-- /wp:list -->";
}

function add_post(array $fields): int
{
    global $user;
    $id = wp_insert_post(wp_slash($fields + ['post_status' => 'publish', 'post_author' => $user, 'comment_status' => 'closed', 'ping_status' => 'closed'] + next_date()), true);
    if (is_wp_error($id)) {
        throw new RuntimeException($id->get_error_message());
    }
    return $id;
}

foreach ($content['products'] as [$slug, $title, $price, $picture, $lead, $text, $facts]) {
    $id = add_post(['post_name' => $slug, 'post_title' => $title, 'post_excerpt' => $price, 'post_content' => paragraphs([$lead, $text]) . "\n\n" . bullets($facts), 'post_category' => [$shop]]);
    $image = add_post(['post_type' => 'attachment', 'post_status' => 'inherit', 'post_name' => "$slug-picture", 'post_title' => $title, 'post_parent' => $id, 'post_mime_type' => 'image/svg+xml', 'guid' => SEED_URL . "/wp-content/uploads/shop/$picture.svg"]);
    update_post_meta($image, '_wp_attached_file', "shop/$picture.svg");
    update_post_meta($image, '_wp_attachment_metadata', ['width' => 800, 'height' => 800, 'file' => "shop/$picture.svg", 'sizes' => []]);
    update_post_meta($image, '_wp_attachment_image_alt', "$title, drawn");
    update_post_meta($id, '_thumbnail_id', $image);
    update_post_meta($id, '_wp_page_template', 'product');
}
foreach ($content['journal'] as [$slug, $title, $excerpt, $texts]) {
    add_post(['post_name' => $slug, 'post_title' => $title, 'post_excerpt' => $excerpt, 'post_content' => paragraphs($texts), 'post_category' => [1]]);
}
foreach ($content['pages'] as [$slug, $title, $texts]) {
    add_post(['post_type' => 'page', 'post_name' => $slug, 'post_title' => $title, 'post_content' => paragraphs($texts)]);
}

$options = [
    'blogdescription' => 'Things for a quiet home', 'permalink_structure' => '/%postname%/', 'show_avatars' => '0', 'default_comment_status' => 'closed',
    'default_ping_status' => 'closed', 'default_pingback_flag' => '0', 'mailserver_url' => '', 'mailserver_login' => '', 'mailserver_pass' => '', 'use_smilies' => '0', 'fresh_site' => '0',
    'wp_page_for_privacy_policy' => '0', 'admin_email_lifespan' => '4102444800', 'template' => 'twentytwentythree', 'stylesheet' => 'shop-window', 'current_theme' => 'Shop Window',
];
foreach ($options as $name => $value) {
    update_option($name, $value);
}
// The tours that greet a new user would stand between a visitor and the page.
foreach (['show_welcome_panel' => '0', 'dismissed_wp_pointers' => '', 'community-events-location' => '', 'wp_persisted_preferences' => ['core/edit-post' => ['welcomeGuide' => false], 'core/edit-site' => ['welcomeGuide' => false, 'welcomeGuideStyles' => false], '_modified' => '2024-03-01T09:00:00.000Z']] as $key => $value) {
    update_user_meta($user, str_replace('wp_persisted', $GLOBALS['wpdb']->prefix . 'persisted', $key), $value);
}
flush_rewrite_rules(false);

// Last, because the calls above make some of it: what is drawn or remembered, and what nobody can log in with.
$wpdb->query("DELETE FROM $wpdb->options WHERE option_name LIKE '%\\_transient\\_%' OR option_name REGEXP '^(auth|secure_auth|logged_in|nonce)_(key|salt)$' OR option_name IN ('secret_key', 'recovery_keys', 'cron', 'recently_edited')");
$wpdb->query("DELETE FROM $wpdb->usermeta WHERE meta_key IN ('session_tokens', 'default_password_nag', 'community-events-location')");
$wpdb->query("DELETE FROM $wpdb->posts WHERE post_type = 'revision'");
$wpdb->query($wpdb->prepare("UPDATE $wpdb->users SET user_pass = '*', user_registered = %s", FIRST_DAY));
$wpdb->query("UPDATE $wpdb->posts SET post_modified = post_date, post_modified_gmt = post_date_gmt");
echo "WordPress {$GLOBALS['wp_version']}, database version {$GLOBALS['wp_db_version']}\n";
