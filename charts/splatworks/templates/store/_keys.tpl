{{/* The embedded store's keys: what `splatworks --store-secret` reads. Made once: upgrades read what is there. Without a
cluster to look into (helm template) they are new each time. Takes (dict "root" $ "ca" "authorities, PEM, or empty"). */}}
{{- define "splatworks.storeKeys" -}}
{{- $root := .root }}
{{- if and (eq $root.Values.store.mode "embedded") (not $root.Values.store.existingSecret) }}
{{- $name := include "splatworks.storeSecret" $root }}
{{- $kept := (lookup "v1" "Secret" $root.Release.Namespace $name).data | default dict }}
---
apiVersion: v1
kind: Secret
metadata:
  {{- include "splatworks.metadata" (dict "root" $root "component" "store" "name" "store-keys") | nindent 2 }}
type: Opaque
data:
  access-key: {{ index $kept "access-key" | default (randAlphaNum 20 | b64enc) }}
  secret-key: {{ index $kept "secret-key" | default (randAlphaNum 40 | b64enc) }}
  {{- with .ca }}
  ca.crt: {{ b64enc . }}
  {{- end }}
{{- end }}
{{- end -}}
