"""A small project without a violation. The tests of rules and checks break one thing at a time."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "site.yml": """\
- name: Serve
  ansible.builtin.import_playbook: playbooks/serve.yml
""",
    "playbooks/serve.yml": """\
- name: Serve
  hosts: all
  vars:
    ansible_user: "{{ bootstrap_user | default('root') }}"
    __serve_started: true
  roles:
    - role: web
      tags: [web]
    - {role: proxy, tags: proxy}
  post_tasks:
    - name: Show the port
      ansible.builtin.debug:
        msg: "{{ web_port }} {{ __serve_started }}"
      tags: [always]
""",
    "molecule/default/molecule.yml": "driver: {name: default}\n",
    "molecule/default/inventory/hosts.yml": "all: {}\n",
    "molecule/default/step.yml": """\
- name: Run a step
  hosts: all
  vars:
    port: 1
  tasks:
    - name: Include the tasks
      ansible.builtin.include_tasks: port.yml
""",
    "molecule/default/port.yml": """\
- name: Show the port
  ansible.builtin.debug:
    msg: "{{ port }}"
""",
    "inventory/local/hosts.yml": """\
all:
  hosts:
    one: {ansible_host: 192.0.2.1}
  children:
    other:
      vars: {web_port: 81}
""",
    "inventory/local/group_vars/all.yml": """\
web_users: ["{{ vault_user }}", two]
python_provider: system
""",
    "inventory/local/group_vars/vault.yml.example": "vault_user: one\n",
    "roles/proxy/meta/argument_specs.yml": """\
argument_specs:
  main:
    short_description: A proxy
    options:
      python_provider: &provider
        description: Python provider.
        type: str
        choices: [own, system]
        default: own
""",
    "roles/proxy/tasks/main.yml": """\
- name: Install Python
  ansible.builtin.package:
    name: python3
  when: python_provider | default('own') == 'system'

- name: Configure the server for the proxy
  ansible.builtin.include_role:
    name: web
    tasks_from: proxy.yml
  vars:
    __web_proxy: one
    web_port: 8080
""",
    "roles/web/tasks/proxy.yml": """\
- name: Show the proxy
  ansible.builtin.debug:
    msg: "{{ __web_proxy }}"
""",
    "roles/web/meta/argument_specs.yml": """\
argument_specs:
  main:
    short_description: A server
    options:
      python_provider:
        description: Python provider.
        type: str
        choices: [own, system]
        default: own
      web_port:
        description: TCP port.
        type: int
        default: 80
      web_users:
        description: Users who may log in.
        type: list
        elements: str
        default: []
      web_release:
        description: Release, if not the system's.
        type: str
""",
    "roles/web/defaults/main.yml": """\
web_port: 80
web_users: []
""",
    "roles/web/vars/main.yml": """\
__web_etc: /etc/web
__web_release: "{{ web_release | default(__web_system_release) }}"
""",
    "roles/web/vars/Debian.yml": """\
__web_packages: [web]
__web_system_release: '2'
__web_log_tasks: log.yml
__web_log: /etc/web/log.conf
""",
    "roles/web/vars/RedHat.yml": """\
__web_packages: [httpd]
__web_system_release: '2'
__web_log_tasks: log.yml
__web_log: /etc/web/log.conf
""",
    "roles/web/vars/RedHat_7.yml": """\
__web_system_release: '1'
__web_log_tasks: old_log.yml
__web_log: /etc/httpd.conf
""",
    "roles/web/tasks/log.yml": """\
# The program has no checker.
- name: Write the log settings
  ansible.builtin.template:
    src: etc/web/log.conf.j2
    dest: "{{ __web_log }}"
    mode: "0644"
""",
    "roles/web/tasks/old_log.yml": """\
- name: Write the log settings into the main file
  ansible.builtin.blockinfile:
    path: "{{ __web_log }}"
    block: log on
    mode: "0644"
""",
    "roles/web/tasks/limits.yml": """\
- name: Write the limits
  files:
    files:
      - {dest: /etc/web, state: directory, mode: "0755"}
      # The program has no checker.
      - src: etc/web/limits.conf.j2
        dest: /etc/web/limits.conf
        mode: "0644"
      - src: etc/web/quota.json.j2
        dest: /etc/web/quota.json
        mode: "0640"
        validate: python3 -m json.tool %s
""",
    "templates/etc/web/limits.conf.j2": "{{ ansible_managed | comment }}\nlimits on\n",
    "templates/etc/web/quota.json.j2": """\
{{ {
  "managed_by": ansible_managed,
} | to_nice_json }}
""",
    "templates/etc/web/log.conf.j2": "{{ ansible_managed | comment }}\nlog on\n",
    "roles/web/tasks/set_vars.yml": """\
- name: Load variables of the system
  ansible.builtin.include_vars:
    file: "{{ role_path }}/vars/{{ ansible_facts['os_family'] }}.yml"
""",
    "roles/web/tasks/main.yml": """\
- name: Require a supported release
  ansible.builtin.assert:
    that: __web_release is version('1', '>=')
    fail_msg: "{{ ansible_facts['distribution'] }} is too old"

- name: Configure logging
  ansible.builtin.include_tasks: "{{ __web_log_tasks }}"

- name: Configure the limits
  ansible.builtin.include_tasks: limits.yml

- name: Install the server
  ansible.builtin.package:
    name: "{{ __web_packages }}"
  register: __web_installed

- name: Configure the server
  when: __web_installed is not failed
  block:
    # The program has no checker.
    - name: Write the settings
      ansible.builtin.template:
        src: etc/web/web.conf.j2
        dest: "{{ __web_etc }}/web.conf"
        mode: "0644"
      notify: Restart web

- name: Write the users
  ansible.builtin.template:
    src: etc/web/users.json.j2
    dest: "{{ __web_etc }}/users.json"
    mode: "0644"
    validate: "{{ 'python3' if python_provider | default('own') == 'own' }} -m json.tool %s"
  tags: [web]
""",
    "roles/web/handlers/main.yml": """\
- name: Restart the server
  ansible.builtin.service:
    name: web
    state: restarted
  listen: Restart web
""",
    "templates/etc/web/web.conf.j2": """\
{{ ansible_managed | comment }}
{% for user in web_users %}
user {{ user }}
{% endfor %}
port {{ web_port }}
""",
    "templates/etc/web/users.json.j2": """\
{{ {
  "managed_by": ansible_managed,
  "users": web_users,
} | to_nice_json }}
""",
}


def write_sample(root: Path) -> None:
    """Write the project into the directory."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "roles/web/templates").symlink_to("../../templates")
