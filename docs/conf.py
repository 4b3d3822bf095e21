"""How Sphinx builds the site: `make docs`."""
project = 'MedImageGAN'
author = copyright = 'The MedImageGAN authors'
extensions = ['myst_nb']
html_theme = 'pydata_sphinx_theme'
html_title = 'MedImageGAN'
html_static_path = ['_static']
html_css_files = ['site.css']
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {'index': []}
html_theme_options = {'navbar_align': 'left', 'show_prev_next': True, 'secondary_sidebar_items': ['page-toc'], 'navigation_with_keys': False,
                      'footer_start': ['copyright'], 'footer_end': [], 'show_toc_level': 2, 'pygments_light_style': 'friendly'}
nb_execution_mode = 'off'  # chapters are shown with the outputs that are committed
nb_merge_streams = True
myst_heading_anchors = 3
suppress_warnings = ['mystnb.unknown_mime_type']
exclude_patterns = []
