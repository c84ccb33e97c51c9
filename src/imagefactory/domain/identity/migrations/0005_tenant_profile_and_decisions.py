"""Tenants get a profile, a logo, a history of decisions, exports and retired short names. Additive."""

import django.db.models.deletion
import imagefactory.domain.identity.states
import imagefactory.kernel.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0004_identity_providers'),
    ]

    operations = [
        migrations.CreateModel(
            name='RetiredSlug',
            fields=[
                ('slug', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField()),
                ('retired_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='TenantLogo',
            fields=[
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='identity.tenant')),
                ('media_type', models.CharField(max_length=20)),
                ('digest', models.CharField(max_length=64)),
                ('content', models.BinaryField()),
            ],
        ),
        migrations.AddField(
            model_name='tenant',
            name='contact_email',
            field=models.EmailField(blank=True, default='', max_length=254),
        ),
        migrations.AddField(
            model_name='tenant',
            name='delete_after',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='tenant',
            name='language',
            field=models.CharField(default='en', max_length=8),
        ),
        migrations.AddField(
            model_name='tenant',
            name='state_before',
            field=models.CharField(blank=True, default='', max_length=20),
        ),
        migrations.AddField(
            model_name='tenant',
            name='state_reason',
            field=models.CharField(blank=True, default='', max_length=500),
        ),
        migrations.AddField(
            model_name='tenant',
            name='support_email',
            field=models.EmailField(blank=True, default='', max_length=254),
        ),
        migrations.AddField(
            model_name='tenant',
            name='version',
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.CreateModel(
            name='TenantDecision',
            fields=[
                ('id', models.UUIDField(default=imagefactory.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('what', models.CharField(max_length=40)),
                ('before', models.CharField(max_length=20)),
                ('after', models.CharField(max_length=20)),
                ('reason', models.CharField(max_length=500)),
                ('by_id', models.UUIDField(null=True)),
                ('by_name', models.CharField(max_length=200)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='identity.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['tenant', '-created_at'], name='identity_decision_newest')],
            },
        ),
        migrations.CreateModel(
            name='TenantExport',
            fields=[
                ('id', models.UUIDField(default=imagefactory.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('status', models.CharField(choices=[('waiting', 'waiting'), ('ready', 'ready'), ('failed', 'failed'), ('expired', 'expired')], max_length=10)),
                ('requested_by_name', models.CharField(max_length=200)),
                ('digest', models.CharField(blank=True, default='', max_length=71)),
                ('size_bytes', models.BigIntegerField(default=0)),
                ('failure', models.CharField(blank=True, default='', max_length=300)),
                ('ready_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='identity.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['tenant', '-created_at'], name='identity_export_newest')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', imagefactory.domain.identity.states.ExportStatus['WAITING'])), fields=('tenant',), name='identity_export_once')],
            },
        ),
    ]
