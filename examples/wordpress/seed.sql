-- The shop window as every visitor finds it. Made by make-seed.sh; not to be edited by hand.
SET NAMES utf8mb4;
CREATE TABLE `wp_commentmeta` (
  `meta_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `comment_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `meta_key` varchar(255) DEFAULT NULL,
  `meta_value` longtext DEFAULT NULL,
  PRIMARY KEY (`meta_id`),
  KEY `comment_id` (`comment_id`),
  KEY `meta_key` (`meta_key`(191))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
CREATE TABLE `wp_comments` (
  `comment_ID` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `comment_post_ID` bigint(20) unsigned NOT NULL DEFAULT 0,
  `comment_author` tinytext NOT NULL,
  `comment_author_email` varchar(100) NOT NULL DEFAULT '',
  `comment_author_url` varchar(200) NOT NULL DEFAULT '',
  `comment_author_IP` varchar(100) NOT NULL DEFAULT '',
  `comment_date` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `comment_date_gmt` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `comment_content` text NOT NULL,
  `comment_karma` int(11) NOT NULL DEFAULT 0,
  `comment_approved` varchar(20) NOT NULL DEFAULT '1',
  `comment_agent` varchar(255) NOT NULL DEFAULT '',
  `comment_type` varchar(20) NOT NULL DEFAULT 'comment',
  `comment_parent` bigint(20) unsigned NOT NULL DEFAULT 0,
  `user_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`comment_ID`),
  KEY `comment_post_ID` (`comment_post_ID`),
  KEY `comment_approved_date_gmt` (`comment_approved`,`comment_date_gmt`),
  KEY `comment_date_gmt` (`comment_date_gmt`),
  KEY `comment_parent` (`comment_parent`),
  KEY `comment_author_email` (`comment_author_email`(10))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
CREATE TABLE `wp_links` (
  `link_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `link_url` varchar(255) NOT NULL DEFAULT '',
  `link_name` varchar(255) NOT NULL DEFAULT '',
  `link_image` varchar(255) NOT NULL DEFAULT '',
  `link_target` varchar(25) NOT NULL DEFAULT '',
  `link_description` varchar(255) NOT NULL DEFAULT '',
  `link_visible` varchar(20) NOT NULL DEFAULT 'Y',
  `link_owner` bigint(20) unsigned NOT NULL DEFAULT 1,
  `link_rating` int(11) NOT NULL DEFAULT 0,
  `link_updated` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `link_rel` varchar(255) NOT NULL DEFAULT '',
  `link_notes` mediumtext NOT NULL,
  `link_rss` varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`link_id`),
  KEY `link_visible` (`link_visible`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
CREATE TABLE `wp_options` (
  `option_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `option_name` varchar(191) NOT NULL DEFAULT '',
  `option_value` longtext NOT NULL,
  `autoload` varchar(20) NOT NULL DEFAULT 'yes',
  PRIMARY KEY (`option_id`),
  UNIQUE KEY `option_name` (`option_name`),
  KEY `autoload` (`autoload`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
INSERT INTO `wp_options` VALUES (1,'siteurl','http://shop.invalid','yes');
INSERT INTO `wp_options` VALUES (2,'home','http://shop.invalid','yes');
INSERT INTO `wp_options` VALUES (3,'blogname','Fernhill','yes');
INSERT INTO `wp_options` VALUES (4,'blogdescription','Things for a quiet home','yes');
INSERT INTO `wp_options` VALUES (5,'users_can_register','0','yes');
INSERT INTO `wp_options` VALUES (6,'admin_email','demo@shop.invalid','yes');
INSERT INTO `wp_options` VALUES (7,'start_of_week','1','yes');
INSERT INTO `wp_options` VALUES (8,'use_balanceTags','0','yes');
INSERT INTO `wp_options` VALUES (9,'use_smilies','0','yes');
INSERT INTO `wp_options` VALUES (10,'require_name_email','1','yes');
INSERT INTO `wp_options` VALUES (11,'comments_notify','1','yes');
INSERT INTO `wp_options` VALUES (12,'posts_per_rss','10','yes');
INSERT INTO `wp_options` VALUES (13,'rss_use_excerpt','0','yes');
INSERT INTO `wp_options` VALUES (14,'mailserver_url','','yes');
INSERT INTO `wp_options` VALUES (15,'mailserver_login','','yes');
INSERT INTO `wp_options` VALUES (16,'mailserver_pass','','yes');
INSERT INTO `wp_options` VALUES (17,'mailserver_port','110','yes');
INSERT INTO `wp_options` VALUES (18,'default_category','1','yes');
INSERT INTO `wp_options` VALUES (19,'default_comment_status','closed','yes');
INSERT INTO `wp_options` VALUES (20,'default_ping_status','closed','yes');
INSERT INTO `wp_options` VALUES (21,'default_pingback_flag','0','yes');
INSERT INTO `wp_options` VALUES (22,'posts_per_page','10','yes');
INSERT INTO `wp_options` VALUES (23,'date_format','F j, Y','yes');
INSERT INTO `wp_options` VALUES (24,'time_format','g:i a','yes');
INSERT INTO `wp_options` VALUES (25,'links_updated_date_format','F j, Y g:i a','yes');
INSERT INTO `wp_options` VALUES (26,'comment_moderation','0','yes');
INSERT INTO `wp_options` VALUES (27,'moderation_notify','1','yes');
INSERT INTO `wp_options` VALUES (28,'permalink_structure','/%postname%/','yes');
INSERT INTO `wp_options` VALUES (29,'rewrite_rules','','yes');
INSERT INTO `wp_options` VALUES (30,'hack_file','0','yes');
INSERT INTO `wp_options` VALUES (31,'blog_charset','UTF-8','yes');
INSERT INTO `wp_options` VALUES (32,'moderation_keys','','no');
INSERT INTO `wp_options` VALUES (33,'active_plugins','a:0:{}','yes');
INSERT INTO `wp_options` VALUES (34,'category_base','','yes');
INSERT INTO `wp_options` VALUES (35,'ping_sites','http://rpc.pingomatic.com/','yes');
INSERT INTO `wp_options` VALUES (36,'comment_max_links','2','yes');
INSERT INTO `wp_options` VALUES (37,'gmt_offset','0','yes');
INSERT INTO `wp_options` VALUES (38,'default_email_category','1','yes');
INSERT INTO `wp_options` VALUES (40,'template','twentytwentythree','yes');
INSERT INTO `wp_options` VALUES (41,'stylesheet','shop-window','yes');
INSERT INTO `wp_options` VALUES (42,'comment_registration','0','yes');
INSERT INTO `wp_options` VALUES (43,'html_type','text/html','yes');
INSERT INTO `wp_options` VALUES (44,'use_trackback','0','yes');
INSERT INTO `wp_options` VALUES (45,'default_role','subscriber','yes');
INSERT INTO `wp_options` VALUES (46,'db_version','53496','yes');
INSERT INTO `wp_options` VALUES (47,'uploads_use_yearmonth_folders','1','yes');
INSERT INTO `wp_options` VALUES (48,'upload_path','','yes');
INSERT INTO `wp_options` VALUES (49,'blog_public','1','yes');
INSERT INTO `wp_options` VALUES (50,'default_link_category','2','yes');
INSERT INTO `wp_options` VALUES (51,'show_on_front','posts','yes');
INSERT INTO `wp_options` VALUES (52,'tag_base','','yes');
INSERT INTO `wp_options` VALUES (53,'show_avatars','1','yes');
INSERT INTO `wp_options` VALUES (54,'avatar_rating','G','yes');
INSERT INTO `wp_options` VALUES (55,'upload_url_path','','yes');
INSERT INTO `wp_options` VALUES (56,'thumbnail_size_w','150','yes');
INSERT INTO `wp_options` VALUES (57,'thumbnail_size_h','150','yes');
INSERT INTO `wp_options` VALUES (58,'thumbnail_crop','1','yes');
INSERT INTO `wp_options` VALUES (59,'medium_size_w','300','yes');
INSERT INTO `wp_options` VALUES (60,'medium_size_h','300','yes');
INSERT INTO `wp_options` VALUES (61,'avatar_default','mystery','yes');
INSERT INTO `wp_options` VALUES (62,'large_size_w','1024','yes');
INSERT INTO `wp_options` VALUES (63,'large_size_h','1024','yes');
INSERT INTO `wp_options` VALUES (64,'image_default_link_type','none','yes');
INSERT INTO `wp_options` VALUES (65,'image_default_size','','yes');
INSERT INTO `wp_options` VALUES (66,'image_default_align','','yes');
INSERT INTO `wp_options` VALUES (67,'close_comments_for_old_posts','0','yes');
INSERT INTO `wp_options` VALUES (68,'close_comments_days_old','14','yes');
INSERT INTO `wp_options` VALUES (69,'thread_comments','1','yes');
INSERT INTO `wp_options` VALUES (70,'thread_comments_depth','5','yes');
INSERT INTO `wp_options` VALUES (71,'page_comments','0','yes');
INSERT INTO `wp_options` VALUES (72,'comments_per_page','50','yes');
INSERT INTO `wp_options` VALUES (73,'default_comments_page','newest','yes');
INSERT INTO `wp_options` VALUES (74,'comment_order','asc','yes');
INSERT INTO `wp_options` VALUES (75,'sticky_posts','a:0:{}','yes');
INSERT INTO `wp_options` VALUES (76,'widget_categories','a:0:{}','yes');
INSERT INTO `wp_options` VALUES (77,'widget_text','a:0:{}','yes');
INSERT INTO `wp_options` VALUES (78,'widget_rss','a:0:{}','yes');
INSERT INTO `wp_options` VALUES (79,'uninstall_plugins','a:0:{}','no');
INSERT INTO `wp_options` VALUES (80,'timezone_string','','yes');
INSERT INTO `wp_options` VALUES (81,'page_for_posts','0','yes');
INSERT INTO `wp_options` VALUES (82,'page_on_front','0','yes');
INSERT INTO `wp_options` VALUES (83,'default_post_format','0','yes');
INSERT INTO `wp_options` VALUES (84,'link_manager_enabled','0','yes');
INSERT INTO `wp_options` VALUES (85,'finished_splitting_shared_terms','1','yes');
INSERT INTO `wp_options` VALUES (86,'site_icon','0','yes');
INSERT INTO `wp_options` VALUES (87,'medium_large_size_w','768','yes');
INSERT INTO `wp_options` VALUES (88,'medium_large_size_h','0','yes');
INSERT INTO `wp_options` VALUES (89,'wp_page_for_privacy_policy','0','yes');
INSERT INTO `wp_options` VALUES (90,'show_comments_cookies_opt_in','1','yes');
INSERT INTO `wp_options` VALUES (91,'admin_email_lifespan','4102444800','yes');
INSERT INTO `wp_options` VALUES (92,'disallowed_keys','','no');
INSERT INTO `wp_options` VALUES (93,'comment_previously_approved','1','yes');
INSERT INTO `wp_options` VALUES (94,'auto_plugin_theme_update_emails','a:0:{}','no');
INSERT INTO `wp_options` VALUES (95,'auto_update_core_dev','enabled','yes');
INSERT INTO `wp_options` VALUES (96,'auto_update_core_minor','enabled','yes');
INSERT INTO `wp_options` VALUES (97,'auto_update_core_major','enabled','yes');
INSERT INTO `wp_options` VALUES (98,'wp_force_deactivated_plugins','a:0:{}','yes');
INSERT INTO `wp_options` VALUES (99,'initial_db_version','53496','yes');
INSERT INTO `wp_options` VALUES (100,'wp_user_roles','a:5:{s:13:\"administrator\";a:2:{s:4:\"name\";s:13:\"Administrator\";s:12:\"capabilities\";a:61:{s:13:\"switch_themes\";b:1;s:11:\"edit_themes\";b:1;s:16:\"activate_plugins\";b:1;s:12:\"edit_plugins\";b:1;s:10:\"edit_users\";b:1;s:10:\"edit_files\";b:1;s:14:\"manage_options\";b:1;s:17:\"moderate_comments\";b:1;s:17:\"manage_categories\";b:1;s:12:\"manage_links\";b:1;s:12:\"upload_files\";b:1;s:6:\"import\";b:1;s:15:\"unfiltered_html\";b:1;s:10:\"edit_posts\";b:1;s:17:\"edit_others_posts\";b:1;s:20:\"edit_published_posts\";b:1;s:13:\"publish_posts\";b:1;s:10:\"edit_pages\";b:1;s:4:\"read\";b:1;s:8:\"level_10\";b:1;s:7:\"level_9\";b:1;s:7:\"level_8\";b:1;s:7:\"level_7\";b:1;s:7:\"level_6\";b:1;s:7:\"level_5\";b:1;s:7:\"level_4\";b:1;s:7:\"level_3\";b:1;s:7:\"level_2\";b:1;s:7:\"level_1\";b:1;s:7:\"level_0\";b:1;s:17:\"edit_others_pages\";b:1;s:20:\"edit_published_pages\";b:1;s:13:\"publish_pages\";b:1;s:12:\"delete_pages\";b:1;s:19:\"delete_others_pages\";b:1;s:22:\"delete_published_pages\";b:1;s:12:\"delete_posts\";b:1;s:19:\"delete_others_posts\";b:1;s:22:\"delete_published_posts\";b:1;s:20:\"delete_private_posts\";b:1;s:18:\"edit_private_posts\";b:1;s:18:\"read_private_posts\";b:1;s:20:\"delete_private_pages\";b:1;s:18:\"edit_private_pages\";b:1;s:18:\"read_private_pages\";b:1;s:12:\"delete_users\";b:1;s:12:\"create_users\";b:1;s:17:\"unfiltered_upload\";b:1;s:14:\"edit_dashboard\";b:1;s:14:\"update_plugins\";b:1;s:14:\"delete_plugins\";b:1;s:15:\"install_plugins\";b:1;s:13:\"update_themes\";b:1;s:14:\"install_themes\";b:1;s:11:\"update_core\";b:1;s:10:\"list_users\";b:1;s:12:\"remove_users\";b:1;s:13:\"promote_users\";b:1;s:18:\"edit_theme_options\";b:1;s:13:\"delete_themes\";b:1;s:6:\"export\";b:1;}}s:6:\"editor\";a:2:{s:4:\"name\";s:6:\"Editor\";s:12:\"capabilities\";a:34:{s:17:\"moderate_comments\";b:1;s:17:\"manage_categories\";b:1;s:12:\"manage_links\";b:1;s:12:\"upload_files\";b:1;s:15:\"unfiltered_html\";b:1;s:10:\"edit_posts\";b:1;s:17:\"edit_others_posts\";b:1;s:20:\"edit_published_posts\";b:1;s:13:\"publish_posts\";b:1;s:10:\"edit_pages\";b:1;s:4:\"read\";b:1;s:7:\"level_7\";b:1;s:7:\"level_6\";b:1;s:7:\"level_5\";b:1;s:7:\"level_4\";b:1;s:7:\"level_3\";b:1;s:7:\"level_2\";b:1;s:7:\"level_1\";b:1;s:7:\"level_0\";b:1;s:17:\"edit_others_pages\";b:1;s:20:\"edit_published_pages\";b:1;s:13:\"publish_pages\";b:1;s:12:\"delete_pages\";b:1;s:19:\"delete_others_pages\";b:1;s:22:\"delete_published_pages\";b:1;s:12:\"delete_posts\";b:1;s:19:\"delete_others_posts\";b:1;s:22:\"delete_published_posts\";b:1;s:20:\"delete_private_posts\";b:1;s:18:\"edit_private_posts\";b:1;s:18:\"read_private_posts\";b:1;s:20:\"delete_private_pages\";b:1;s:18:\"edit_private_pages\";b:1;s:18:\"read_private_pages\";b:1;}}s:6:\"author\";a:2:{s:4:\"name\";s:6:\"Author\";s:12:\"capabilities\";a:10:{s:12:\"upload_files\";b:1;s:10:\"edit_posts\";b:1;s:20:\"edit_published_posts\";b:1;s:13:\"publish_posts\";b:1;s:4:\"read\";b:1;s:7:\"level_2\";b:1;s:7:\"level_1\";b:1;s:7:\"level_0\";b:1;s:12:\"delete_posts\";b:1;s:22:\"delete_published_posts\";b:1;}}s:11:\"contributor\";a:2:{s:4:\"name\";s:11:\"Contributor\";s:12:\"capabilities\";a:5:{s:10:\"edit_posts\";b:1;s:4:\"read\";b:1;s:7:\"level_1\";b:1;s:7:\"level_0\";b:1;s:12:\"delete_posts\";b:1;}}s:10:\"subscriber\";a:2:{s:4:\"name\";s:10:\"Subscriber\";s:12:\"capabilities\";a:2:{s:4:\"read\";b:1;s:7:\"level_0\";b:1;}}}','yes');
INSERT INTO `wp_options` VALUES (101,'fresh_site','0','yes');
INSERT INTO `wp_options` VALUES (102,'user_count','1','no');
INSERT INTO `wp_options` VALUES (103,'widget_block','a:6:{i:2;a:1:{s:7:\"content\";s:19:\"<!-- wp:search /-->\";}i:3;a:1:{s:7:\"content\";s:154:\"<!-- wp:group --><div class=\"wp-block-group\"><!-- wp:heading --><h2>Recent Posts</h2><!-- /wp:heading --><!-- wp:latest-posts /--></div><!-- /wp:group -->\";}i:4;a:1:{s:7:\"content\";s:227:\"<!-- wp:group --><div class=\"wp-block-group\"><!-- wp:heading --><h2>Recent Comments</h2><!-- /wp:heading --><!-- wp:latest-comments {\"displayAvatar\":false,\"displayDate\":false,\"displayExcerpt\":false} /--></div><!-- /wp:group -->\";}i:5;a:1:{s:7:\"content\";s:146:\"<!-- wp:group --><div class=\"wp-block-group\"><!-- wp:heading --><h2>Archives</h2><!-- /wp:heading --><!-- wp:archives /--></div><!-- /wp:group -->\";}i:6;a:1:{s:7:\"content\";s:150:\"<!-- wp:group --><div class=\"wp-block-group\"><!-- wp:heading --><h2>Categories</h2><!-- /wp:heading --><!-- wp:categories /--></div><!-- /wp:group -->\";}s:12:\"_multiwidget\";i:1;}','yes');
INSERT INTO `wp_options` VALUES (104,'sidebars_widgets','a:4:{s:19:\"wp_inactive_widgets\";a:0:{}s:9:\"sidebar-1\";a:3:{i:0;s:7:\"block-2\";i:1;s:7:\"block-3\";i:2;s:7:\"block-4\";}s:9:\"sidebar-2\";a:2:{i:0;s:7:\"block-5\";i:1;s:7:\"block-6\";}s:13:\"array_version\";i:3;}','yes');
INSERT INTO `wp_options` VALUES (105,'wp_calendar_block_has_published_posts','1','yes');
INSERT INTO `wp_options` VALUES (107,'category_children','a:0:{}','yes');
INSERT INTO `wp_options` VALUES (109,'current_theme','Shop Window','yes');
CREATE TABLE `wp_postmeta` (
  `meta_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `post_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `meta_key` varchar(255) DEFAULT NULL,
  `meta_value` longtext DEFAULT NULL,
  PRIMARY KEY (`meta_id`),
  KEY `post_id` (`post_id`),
  KEY `meta_key` (`meta_key`(191))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
INSERT INTO `wp_postmeta` VALUES (3,4,'_pingme','1');
INSERT INTO `wp_postmeta` VALUES (4,4,'_encloseme','1');
INSERT INTO `wp_postmeta` VALUES (5,5,'_wp_attached_file','shop/mug.svg');
INSERT INTO `wp_postmeta` VALUES (6,5,'_wp_attachment_metadata','a:4:{s:5:\"width\";i:800;s:6:\"height\";i:800;s:4:\"file\";s:12:\"shop/mug.svg\";s:5:\"sizes\";a:0:{}}');
INSERT INTO `wp_postmeta` VALUES (7,5,'_wp_attachment_image_alt','Harbour mug, drawn');
INSERT INTO `wp_postmeta` VALUES (8,4,'_thumbnail_id','5');
INSERT INTO `wp_postmeta` VALUES (9,4,'_wp_page_template','product');
INSERT INTO `wp_postmeta` VALUES (10,6,'_pingme','1');
INSERT INTO `wp_postmeta` VALUES (11,6,'_encloseme','1');
INSERT INTO `wp_postmeta` VALUES (12,7,'_wp_attached_file','shop/vase.svg');
INSERT INTO `wp_postmeta` VALUES (13,7,'_wp_attachment_metadata','a:4:{s:5:\"width\";i:800;s:6:\"height\";i:800;s:4:\"file\";s:13:\"shop/vase.svg\";s:5:\"sizes\";a:0:{}}');
INSERT INTO `wp_postmeta` VALUES (14,7,'_wp_attachment_image_alt','Dune vase, drawn');
INSERT INTO `wp_postmeta` VALUES (15,6,'_thumbnail_id','7');
INSERT INTO `wp_postmeta` VALUES (16,6,'_wp_page_template','product');
INSERT INTO `wp_postmeta` VALUES (17,8,'_pingme','1');
INSERT INTO `wp_postmeta` VALUES (18,8,'_encloseme','1');
INSERT INTO `wp_postmeta` VALUES (19,9,'_wp_attached_file','shop/lamp.svg');
INSERT INTO `wp_postmeta` VALUES (20,9,'_wp_attachment_metadata','a:4:{s:5:\"width\";i:800;s:6:\"height\";i:800;s:4:\"file\";s:13:\"shop/lamp.svg\";s:5:\"sizes\";a:0:{}}');
INSERT INTO `wp_postmeta` VALUES (21,9,'_wp_attachment_image_alt','Lantern lamp, drawn');
INSERT INTO `wp_postmeta` VALUES (22,8,'_thumbnail_id','9');
INSERT INTO `wp_postmeta` VALUES (23,8,'_wp_page_template','product');
INSERT INTO `wp_postmeta` VALUES (24,10,'_pingme','1');
INSERT INTO `wp_postmeta` VALUES (25,10,'_encloseme','1');
INSERT INTO `wp_postmeta` VALUES (26,11,'_wp_attached_file','shop/stool.svg');
INSERT INTO `wp_postmeta` VALUES (27,11,'_wp_attachment_metadata','a:4:{s:5:\"width\";i:800;s:6:\"height\";i:800;s:4:\"file\";s:14:\"shop/stool.svg\";s:5:\"sizes\";a:0:{}}');
INSERT INTO `wp_postmeta` VALUES (28,11,'_wp_attachment_image_alt','Milking stool, drawn');
INSERT INTO `wp_postmeta` VALUES (29,10,'_thumbnail_id','11');
INSERT INTO `wp_postmeta` VALUES (30,10,'_wp_page_template','product');
INSERT INTO `wp_postmeta` VALUES (31,12,'_pingme','1');
INSERT INTO `wp_postmeta` VALUES (32,12,'_encloseme','1');
INSERT INTO `wp_postmeta` VALUES (33,13,'_wp_attached_file','shop/throw.svg');
INSERT INTO `wp_postmeta` VALUES (34,13,'_wp_attachment_metadata','a:4:{s:5:\"width\";i:800;s:6:\"height\";i:800;s:4:\"file\";s:14:\"shop/throw.svg\";s:5:\"sizes\";a:0:{}}');
INSERT INTO `wp_postmeta` VALUES (35,13,'_wp_attachment_image_alt','Hillside throw, drawn');
INSERT INTO `wp_postmeta` VALUES (36,12,'_thumbnail_id','13');
INSERT INTO `wp_postmeta` VALUES (37,12,'_wp_page_template','product');
INSERT INTO `wp_postmeta` VALUES (38,14,'_pingme','1');
INSERT INTO `wp_postmeta` VALUES (39,14,'_encloseme','1');
INSERT INTO `wp_postmeta` VALUES (40,15,'_wp_attached_file','shop/kettle.svg');
INSERT INTO `wp_postmeta` VALUES (41,15,'_wp_attachment_metadata','a:4:{s:5:\"width\";i:800;s:6:\"height\";i:800;s:4:\"file\";s:15:\"shop/kettle.svg\";s:5:\"sizes\";a:0:{}}');
INSERT INTO `wp_postmeta` VALUES (42,15,'_wp_attachment_image_alt','Dusk kettle, drawn');
INSERT INTO `wp_postmeta` VALUES (43,14,'_thumbnail_id','15');
INSERT INTO `wp_postmeta` VALUES (44,14,'_wp_page_template','product');
INSERT INTO `wp_postmeta` VALUES (45,16,'_pingme','1');
INSERT INTO `wp_postmeta` VALUES (46,16,'_encloseme','1');
INSERT INTO `wp_postmeta` VALUES (47,17,'_pingme','1');
INSERT INTO `wp_postmeta` VALUES (48,17,'_encloseme','1');
INSERT INTO `wp_postmeta` VALUES (49,18,'_pingme','1');
INSERT INTO `wp_postmeta` VALUES (50,18,'_encloseme','1');
CREATE TABLE `wp_posts` (
  `ID` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `post_author` bigint(20) unsigned NOT NULL DEFAULT 0,
  `post_date` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `post_date_gmt` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `post_content` longtext NOT NULL,
  `post_title` text NOT NULL,
  `post_excerpt` text NOT NULL,
  `post_status` varchar(20) NOT NULL DEFAULT 'publish',
  `comment_status` varchar(20) NOT NULL DEFAULT 'open',
  `ping_status` varchar(20) NOT NULL DEFAULT 'open',
  `post_password` varchar(255) NOT NULL DEFAULT '',
  `post_name` varchar(200) NOT NULL DEFAULT '',
  `to_ping` text NOT NULL,
  `pinged` text NOT NULL,
  `post_modified` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `post_modified_gmt` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `post_content_filtered` longtext NOT NULL,
  `post_parent` bigint(20) unsigned NOT NULL DEFAULT 0,
  `guid` varchar(255) NOT NULL DEFAULT '',
  `menu_order` int(11) NOT NULL DEFAULT 0,
  `post_type` varchar(20) NOT NULL DEFAULT 'post',
  `post_mime_type` varchar(100) NOT NULL DEFAULT '',
  `comment_count` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`ID`),
  KEY `post_name` (`post_name`(191)),
  KEY `type_status_date` (`post_type`,`post_status`,`post_date`,`ID`),
  KEY `post_parent` (`post_parent`),
  KEY `post_author` (`post_author`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
INSERT INTO `wp_posts` VALUES (4,1,'2024-03-04 09:00:00','2024-03-04 09:00:00','<!-- wp:paragraph -->\n<p>A mug with a broad foot that stays where you put it.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>Thrown by Ida in the old net loft, glazed twice: once in cream, once in the blue she mixes on the first cold day of the year. No two have the same waterline.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:list -->\n<ul><!-- wp:list-item -->\n<li>Holds 350 ml</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>Dishwasher safe, and it does not mind the microwave</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>Each about 9 cm high</li>\n<!-- /wp:list-item --></ul>\n<!-- /wp:list -->','Harbour mug','Stoneware, 350 ml · € 24','publish','closed','closed','','harbour-mug','','','2024-03-04 09:00:00','2024-03-04 09:00:00','',0,'http://shop.invalid/?p=4',0,'post','',0);
INSERT INTO `wp_posts` VALUES (5,1,'2024-03-07 09:00:00','2024-03-07 09:00:00','','Harbour mug','','inherit','closed','closed','','harbour-mug-picture','','','2024-03-07 09:00:00','2024-03-07 09:00:00','',4,'http://shop.invalid/wp-content/uploads/shop/mug.svg',0,'attachment','image/svg+xml',0);
INSERT INTO `wp_posts` VALUES (6,1,'2024-03-10 09:00:00','2024-03-10 09:00:00','<!-- wp:paragraph -->\n<p>For three branches, or one very good one.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>The wave around its belly is drawn with a shell from the north beach while the clay is still soft. Unglazed outside, watertight inside.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:list -->\n<ul><!-- wp:list-item -->\n<li>28 cm high, opening 6 cm</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>Made in batches of eight</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>Branches not included</li>\n<!-- /wp:list-item --></ul>\n<!-- /wp:list -->','Dune vase','Earthenware, 28 cm · € 58','publish','closed','closed','','dune-vase','','','2024-03-10 09:00:00','2024-03-10 09:00:00','',0,'http://shop.invalid/?p=6',0,'post','',0);
INSERT INTO `wp_posts` VALUES (7,1,'2024-03-13 09:00:00','2024-03-13 09:00:00','','Dune vase','','inherit','closed','closed','','dune-vase-picture','','','2024-03-13 09:00:00','2024-03-13 09:00:00','',6,'http://shop.invalid/wp-content/uploads/shop/vase.svg',0,'attachment','image/svg+xml',0);
INSERT INTO `wp_posts` VALUES (8,1,'2024-03-16 09:00:00','2024-03-16 09:00:00','<!-- wp:paragraph -->\n<p>A light to sit under, not to work by.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>Spun from one sheet of brass that will darken where hands touch it. We think that it looks best in its third winter.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:list -->\n<ul><!-- wp:list-item -->\n<li>Shade 34 cm wide</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>2 m of cloth cable</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>Takes any E27 bulb up to 40 W</li>\n<!-- /wp:list-item --></ul>\n<!-- /wp:list -->','Lantern lamp','Brass, warm light · € 89','publish','closed','closed','','lantern-lamp','','','2024-03-16 09:00:00','2024-03-16 09:00:00','',0,'http://shop.invalid/?p=8',0,'post','',0);
INSERT INTO `wp_posts` VALUES (9,1,'2024-03-19 09:00:00','2024-03-19 09:00:00','','Lantern lamp','','inherit','closed','closed','','lantern-lamp-picture','','','2024-03-19 09:00:00','2024-03-19 09:00:00','',8,'http://shop.invalid/wp-content/uploads/shop/lamp.svg',0,'attachment','image/svg+xml',0);
INSERT INTO `wp_posts` VALUES (10,1,'2024-03-22 09:00:00','2024-03-22 09:00:00','<!-- wp:paragraph -->\n<p>Three legs never wobble.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>Turned from ash that came down in the storm of two years ago, oiled and left alone. A seat, a side table, a step to the top shelf.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:list -->\n<ul><!-- wp:list-item -->\n<li>45 cm high</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>Carries 120 kg</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>Wedged joints, no screws</li>\n<!-- /wp:list-item --></ul>\n<!-- /wp:list -->','Milking stool','Ash, three legs · € 120','publish','closed','closed','','milking-stool','','','2024-03-22 09:00:00','2024-03-22 09:00:00','',0,'http://shop.invalid/?p=10',0,'post','',0);
INSERT INTO `wp_posts` VALUES (11,1,'2024-03-25 09:00:00','2024-03-25 09:00:00','','Milking stool','','inherit','closed','closed','','milking-stool-picture','','','2024-03-25 09:00:00','2024-03-25 09:00:00','',10,'http://shop.invalid/wp-content/uploads/shop/stool.svg',0,'attachment','image/svg+xml',0);
INSERT INTO `wp_posts` VALUES (12,1,'2024-03-28 09:00:00','2024-03-28 09:00:00','<!-- wp:paragraph -->\n<p>Heavy enough to keep you on the sofa.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>Woven on a loom that is older than the weaver, in the colours of the hill behind the shop in October.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:list -->\n<ul><!-- wp:list-item -->\n<li>140 × 180 cm, fringed</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>Pure lambswool</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>Airing beats washing</li>\n<!-- /wp:list-item --></ul>\n<!-- /wp:list -->','Hillside throw','Lambswool, 140 × 180 cm · € 75','publish','closed','closed','','hillside-throw','','','2024-03-28 09:00:00','2024-03-28 09:00:00','',0,'http://shop.invalid/?p=12',0,'post','',0);
INSERT INTO `wp_posts` VALUES (13,1,'2024-03-31 09:00:00','2024-03-31 09:00:00','','Hillside throw','','inherit','closed','closed','','hillside-throw-picture','','','2024-03-31 09:00:00','2024-03-31 09:00:00','',12,'http://shop.invalid/wp-content/uploads/shop/throw.svg',0,'attachment','image/svg+xml',0);
INSERT INTO `wp_posts` VALUES (14,1,'2024-04-03 09:00:00','2024-04-03 09:00:00','<!-- wp:paragraph -->\n<p>Sings a little before it boils.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>Enamelled steel with a knob of brass. The colour is that of half past nine on a June evening.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:list -->\n<ul><!-- wp:list-item -->\n<li>1.6 litres</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>For every hob, induction too</li>\n<!-- /wp:list-item -->\n<!-- wp:list-item -->\n<li>The handle stays cool</li>\n<!-- /wp:list-item --></ul>\n<!-- /wp:list -->','Dusk kettle','Enamel, 1.6 l · € 64','publish','closed','closed','','dusk-kettle','','','2024-04-03 09:00:00','2024-04-03 09:00:00','',0,'http://shop.invalid/?p=14',0,'post','',0);
INSERT INTO `wp_posts` VALUES (15,1,'2024-04-06 09:00:00','2024-04-06 09:00:00','','Dusk kettle','','inherit','closed','closed','','dusk-kettle-picture','','','2024-04-06 09:00:00','2024-04-06 09:00:00','',14,'http://shop.invalid/wp-content/uploads/shop/kettle.svg',0,'attachment','image/svg+xml',0);
INSERT INTO `wp_posts` VALUES (16,1,'2024-04-09 09:00:00','2024-04-09 09:00:00','<!-- wp:paragraph -->\n<p>“When it is cold I have no patience for measuring,” says Ida, “and the blue likes that.” Then she measures everything twice.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>The cream goes on first and is left to dry overnight. The blue follows in the morning, quickly, the mug held upside down. Where the two meet, the kiln decides.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>Out of a firing of forty, three or four come out with a line so even that she keeps them for herself. She says that they look as if nobody had made them.</p>\n<!-- /wp:paragraph -->','How the Harbour mug gets its blue','Ida waits for the first cold morning to mix it. We asked why.','publish','closed','closed','','how-the-mug-gets-its-blue','','','2024-04-09 09:00:00','2024-04-09 09:00:00','',0,'http://shop.invalid/?p=16',0,'post','',0);
INSERT INTO `wp_posts` VALUES (17,1,'2024-04-12 09:00:00','2024-04-12 09:00:00','<!-- wp:paragraph -->\n<p>Wool cleans itself if you let it. Hang the throw over a line or a chair by an open window for a night; what was in it is gone by breakfast.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>If something was spilled: cold water, a drop of hand soap, no rubbing. Dry it lying down.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>And moths? Cedar, light and use. Nothing has ever eaten a throw that somebody was sitting under.</p>\n<!-- /wp:paragraph -->','Caring for wool: mostly, don’t','A cool night by an open window does more than any washing machine.','publish','closed','closed','','caring-for-wool','','','2024-04-12 09:00:00','2024-04-12 09:00:00','',0,'http://shop.invalid/?p=17',0,'post','',0);
INSERT INTO `wp_posts` VALUES (18,1,'2024-04-15 09:00:00','2024-04-15 09:00:00','<!-- wp:paragraph -->\n<p>Our window is one metre and eighty wide. That is room for six things, if each is to have some air around it.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>They change when one is sold out or when the light does. What leaves the window comes back into the shelf behind it; ask.</p>\n<!-- /wp:paragraph -->','A new window','Six things at a time, and none of them in a hurry. How we choose what stands in front.','publish','closed','closed','','a-new-window','','','2024-04-15 09:00:00','2024-04-15 09:00:00','',0,'http://shop.invalid/?p=18',0,'post','',0);
INSERT INTO `wp_posts` VALUES (19,1,'2024-04-18 09:00:00','2024-04-18 09:00:00','<!-- wp:paragraph -->\n<p>Fernhill is a small shop that does not exist, in a town that nobody has found yet. It sells six things at a time.</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:paragraph -->\n<p>This is a demonstration: a real WordPress with a database of its own, started for you alone. Log in, change the words on this page, put a seventh thing into the window, choose other colours. When your time is up all of it is gone.</p>\n<!-- /wp:paragraph -->','About','','publish','closed','closed','','about','','','2024-04-18 09:00:00','2024-04-18 09:00:00','',0,'http://shop.invalid/?page_id=19',0,'page','',0);
CREATE TABLE `wp_term_relationships` (
  `object_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `term_taxonomy_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `term_order` int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (`object_id`,`term_taxonomy_id`),
  KEY `term_taxonomy_id` (`term_taxonomy_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
INSERT INTO `wp_term_relationships` VALUES (4,2,0);
INSERT INTO `wp_term_relationships` VALUES (6,2,0);
INSERT INTO `wp_term_relationships` VALUES (8,2,0);
INSERT INTO `wp_term_relationships` VALUES (10,2,0);
INSERT INTO `wp_term_relationships` VALUES (12,2,0);
INSERT INTO `wp_term_relationships` VALUES (14,2,0);
INSERT INTO `wp_term_relationships` VALUES (16,1,0);
INSERT INTO `wp_term_relationships` VALUES (17,1,0);
INSERT INTO `wp_term_relationships` VALUES (18,1,0);
CREATE TABLE `wp_term_taxonomy` (
  `term_taxonomy_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `term_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `taxonomy` varchar(32) NOT NULL DEFAULT '',
  `description` longtext NOT NULL,
  `parent` bigint(20) unsigned NOT NULL DEFAULT 0,
  `count` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`term_taxonomy_id`),
  UNIQUE KEY `term_id_taxonomy` (`term_id`,`taxonomy`),
  KEY `taxonomy` (`taxonomy`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
INSERT INTO `wp_term_taxonomy` VALUES (1,1,'category','',0,3);
INSERT INTO `wp_term_taxonomy` VALUES (2,2,'category','',0,6);
CREATE TABLE `wp_termmeta` (
  `meta_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `term_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `meta_key` varchar(255) DEFAULT NULL,
  `meta_value` longtext DEFAULT NULL,
  PRIMARY KEY (`meta_id`),
  KEY `term_id` (`term_id`),
  KEY `meta_key` (`meta_key`(191))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
CREATE TABLE `wp_terms` (
  `term_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(200) NOT NULL DEFAULT '',
  `slug` varchar(200) NOT NULL DEFAULT '',
  `term_group` bigint(10) NOT NULL DEFAULT 0,
  PRIMARY KEY (`term_id`),
  KEY `slug` (`slug`(191)),
  KEY `name` (`name`(191))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
INSERT INTO `wp_terms` VALUES (1,'Journal','journal',0);
INSERT INTO `wp_terms` VALUES (2,'Shop','shop',0);
CREATE TABLE `wp_usermeta` (
  `umeta_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `user_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `meta_key` varchar(255) DEFAULT NULL,
  `meta_value` longtext DEFAULT NULL,
  PRIMARY KEY (`umeta_id`),
  KEY `user_id` (`user_id`),
  KEY `meta_key` (`meta_key`(191))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
INSERT INTO `wp_usermeta` VALUES (1,1,'nickname','demo');
INSERT INTO `wp_usermeta` VALUES (2,1,'first_name','');
INSERT INTO `wp_usermeta` VALUES (3,1,'last_name','');
INSERT INTO `wp_usermeta` VALUES (4,1,'description','');
INSERT INTO `wp_usermeta` VALUES (5,1,'rich_editing','true');
INSERT INTO `wp_usermeta` VALUES (6,1,'syntax_highlighting','true');
INSERT INTO `wp_usermeta` VALUES (7,1,'comment_shortcuts','false');
INSERT INTO `wp_usermeta` VALUES (8,1,'admin_color','fresh');
INSERT INTO `wp_usermeta` VALUES (9,1,'use_ssl','0');
INSERT INTO `wp_usermeta` VALUES (10,1,'show_admin_bar_front','true');
INSERT INTO `wp_usermeta` VALUES (11,1,'locale','');
INSERT INTO `wp_usermeta` VALUES (12,1,'wp_capabilities','a:1:{s:13:\"administrator\";b:1;}');
INSERT INTO `wp_usermeta` VALUES (13,1,'wp_user_level','10');
INSERT INTO `wp_usermeta` VALUES (14,1,'dismissed_wp_pointers','');
INSERT INTO `wp_usermeta` VALUES (15,1,'show_welcome_panel','0');
INSERT INTO `wp_usermeta` VALUES (17,1,'wp_persisted_preferences','a:3:{s:14:\"core/edit-post\";a:1:{s:12:\"welcomeGuide\";b:0;}s:14:\"core/edit-site\";a:2:{s:12:\"welcomeGuide\";b:0;s:18:\"welcomeGuideStyles\";b:0;}s:9:\"_modified\";s:24:\"2024-03-01T09:00:00.000Z\";}');
CREATE TABLE `wp_users` (
  `ID` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `user_login` varchar(60) NOT NULL DEFAULT '',
  `user_pass` varchar(255) NOT NULL DEFAULT '',
  `user_nicename` varchar(50) NOT NULL DEFAULT '',
  `user_email` varchar(100) NOT NULL DEFAULT '',
  `user_url` varchar(100) NOT NULL DEFAULT '',
  `user_registered` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `user_activation_key` varchar(255) NOT NULL DEFAULT '',
  `user_status` int(11) NOT NULL DEFAULT 0,
  `display_name` varchar(250) NOT NULL DEFAULT '',
  PRIMARY KEY (`ID`),
  KEY `user_login_key` (`user_login`),
  KEY `user_nicename` (`user_nicename`),
  KEY `user_email` (`user_email`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
INSERT INTO `wp_users` VALUES (1,'demo','*','demo','demo@shop.invalid','http://shop.invalid','2024-03-01 09:00:00','',0,'demo');
