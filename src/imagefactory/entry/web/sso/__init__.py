"""Sign-in through identity providers: django-allauth's OpenID Connect and SAML with our settings, and the directory form."""
