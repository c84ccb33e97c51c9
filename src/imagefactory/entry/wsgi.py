"""The web process's entry: pages and API under WSGI."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagefactory.settings.django")
application = get_wsgi_application()
