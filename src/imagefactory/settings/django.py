"""Django's settings, translated from `kernel.env`; nothing is decided here."""

from __future__ import annotations

import os
from pathlib import Path

from imagefactory.kernel import env, pg, secrets

_settings = env.get()
_package = Path(__file__).resolve().parent.parent
_database = pg.parameters(os.environ.get("IMAGEFACTORY_TEST_DATABASE_URL") or pg.url())

SECRET_KEY = secrets.django_key()
DEBUG = False
# The front door names the host; behind it every name is the factory's own, and links are made from PUBLIC_URL.
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "imagefactory.entry.urls"
WSGI_APPLICATION = "imagefactory.entry.wsgi.application"
APPEND_SLASH = False

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "procrastinate.contrib.django",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "imagefactory.kernel.outbox.apps.OutboxConfig",
    "imagefactory.kernel.replies.apps.RepliesConfig",
    "imagefactory.kernel.throttle.apps.ThrottleConfig",
    "imagefactory.domain.identity.apps.IdentityConfig",
    "imagefactory.domain.projects.apps.ProjectsConfig",
    "imagefactory.domain.images.apps.ImagesConfig",
    "imagefactory.domain.builds.apps.BuildsConfig",
    "imagefactory.domain.audit.apps.AuditConfig",
    "imagefactory.domain.notifications.apps.NotificationsConfig",
    "imagefactory.entry.web.apps.WebConfig",
    "imagefactory.entry.web.sso.apps.SsoConfig",
]

MIDDLEWARE = [
    "imagefactory.entry.http.scope.ScopeMiddleware",
    "imagefactory.entry.http.request_id.RequestIdMiddleware",
    # Outside all that may open a transaction: a refusal is recorded when that is over.
    "imagefactory.entry.http.refusals.RefusalMiddleware",
    "imagefactory.entry.http.privacy.NoStoreMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "imagefactory.entry.http.sign_ins.SignInMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "imagefactory.entry.web.redirects.RedirectMiddleware",
    "imagefactory.entry.web.sso.bound.BoundSignInMiddleware",
    "imagefactory.entry.http.failures.FailureMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_package / "entry/web/templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "imagefactory.entry.web.context.frame",
            ],
            "string_if_invalid": os.environ.get("IMAGEFACTORY_TEST_INVALID_VARIABLE", ""),
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "imagefactory.kernel.database",
        "NAME": _database.get("dbname", "imagefactory"),
        "USER": _database.get("user", ""),
        "PASSWORD": _database.get("password", ""),
        "HOST": _database.get("host", ""),
        "PORT": _database.get("port", ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {k: v for k, v in _database.items() if k not in {"dbname", "user", "password", "host", "port"}}
        | {"application_name": os.environ.get("IMAGEFACTORY_PROCESS", "imagefactory"), "connect_timeout": 5},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
# django-allauth: its steps and second factors behind our pages; docs/decisions/0011 says what of it is used.
ACCOUNT_ADAPTER = "imagefactory.entry.web.signin.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # confirmed by services.email_proofs, whose links no database copy can make
ACCOUNT_RATE_LIMITS = False  # counted by kernel.throttle, for all processes together
ACCOUNT_LOGIN_TIMEOUT = 600
ACCOUNT_USER_DISPLAY = "imagefactory.domain.identity.selectors.people.display_name"
SOCIALACCOUNT_ADAPTER = "imagefactory.entry.web.sso.adapter.ProviderAdapter"
MFA_ADAPTER = "imagefactory.entry.web.signin.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1
MFA_RECOVERY_CODE_COUNT = 10
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = False

_https = _settings.public_url.startswith("https://")
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_NAME = "__Host-session" if _https else "session"
SESSION_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = _settings.session_days * 24 * 3600
CSRF_COOKIE_SECURE = _https
CSRF_COOKIE_HTTPONLY = True
CSRF_USE_SESSIONS = False
CSRF_TRUSTED_ORIGINS = [_settings.public_url]
CSRF_FAILURE_VIEW = "imagefactory.entry.http.failures.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = None
STATICFILES_DIRS = [("", _package / "entry/web/static")]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_TEMP_DIR = str(_settings.run_dir) if _settings.run_dir.is_dir() else None
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LOGGING_CONFIG = None
PROCRASTINATE_ON_APP_READY = "imagefactory.entry.jobs.tasks.register"
