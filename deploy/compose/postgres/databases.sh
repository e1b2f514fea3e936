#!/bin/bash
# Run once by the image, on an empty data directory. One database per service, each with two roles: `<service>_owner`
# changes the schema (migrations), `<service>` reads and writes rows and can change no table. Nobody else can connect.
set -euo pipefail

for service in ordering payments provisioning notifications refunds operations; do
    psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
        --set service="$service" --set owner="${service}_owner" \
        --set owner_password="$(cat "/run/secrets/${service}_owner_password")" \
        --set password="$(cat "/run/secrets/${service}_password")" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"owner";
\connect :service
\i /docker-entrypoint-initdb.d/rights/service.sql
SQL
done
