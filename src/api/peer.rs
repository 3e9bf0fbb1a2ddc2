//! Who is at the other end of the socket, and what they may do.

use crate::types::Actor;
use std::{fs, io};

/// What a peer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    None,
    Read,
    Administer,
}

/// The groups that open the API, by number.
#[derive(Debug, Clone, Copy, Default)]
pub struct Groups {
    pub read: Option<u32>,
    pub admin: Option<u32>,
}

/// A peer as the kernel describes it.
#[derive(Debug, Clone)]
pub struct Peer {
    pub uid: u32,
    pub groups: Vec<u32>,
}

impl Peer {
    /// From the socket's credentials; supplementary groups come from `/proc`.
    ///
    /// # Errors
    /// The kernel gives no credentials.
    pub fn of(socket: &tokio::net::UnixStream) -> io::Result<Self> {
        let credentials = socket.peer_cred()?;
        let mut groups = vec![credentials.gid()];
        // A peer that is gone already has only its primary group.
        let status = credentials.pid().map(|pid| fs::read_to_string(format!("/proc/{pid}/status")));
        if let Some(Ok(status)) = status {
            let same_user = status
                .lines()
                .find_map(|line| line.strip_prefix("Uid:"))
                .and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok())
                == Some(credentials.uid());
            let line = status.lines().find_map(|line| line.strip_prefix("Groups:"));
            if let (true, Some(line)) = (same_user, line) {
                groups.extend(line.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
            }
        }
        Ok(Self { uid: credentials.uid(), groups })
    }

    pub fn rights(&self, own_uid: u32, groups: Groups) -> Rights {
        let member = |group: Option<u32>| group.is_some_and(|id| self.groups.contains(&id));
        if self.uid == 0 || self.uid == own_uid || member(groups.admin) {
            Rights::Administer
        } else if member(groups.read) {
            Rights::Read
        } else {
            Rights::None
        }
    }

    /// The name for the custody log.
    pub fn actor(&self) -> Actor {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = find_in(&passwd, 2, 0, &self.uid.to_string());
        name.and_then(|name| Actor::new(format!("user:{name}")).ok())
            .or_else(|| Actor::new(format!("uid:{}", self.uid)).ok())
            .unwrap_or_else(Actor::dock)
    }
}

/// The number of a group, from `/etc/group`.
pub fn group_id(name: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    find_in(&groups, 0, 2, name)?.parse().ok()
}

/// In a colon-separated table: the field `want` of the first row whose field `at` is `value`.
fn find_in(table: &str, at: usize, want: usize, value: &str) -> Option<String> {
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(at) == Some(&value)).then(|| fields.get(want).map(|f| (*f).to_owned()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_follow_user_and_groups() {
        let peer = |uid, groups: &[u32]| Peer { uid, groups: groups.to_vec() };
        let groups = Groups { read: Some(10), admin: Some(20) };
        assert_eq!(peer(0, &[]).rights(5, groups), Rights::Administer);
        assert_eq!(peer(5, &[]).rights(5, groups), Rights::Administer);
        assert_eq!(peer(7, &[3, 20]).rights(5, groups), Rights::Administer);
        assert_eq!(peer(7, &[10]).rights(5, groups), Rights::Read);
        assert_eq!(peer(7, &[3]).rights(5, groups), Rights::None);
        assert_eq!(peer(7, &[10, 20]).rights(5, Groups::default()), Rights::None);
    }

    #[test]
    fn tables_are_read_by_field() {
        let table = "root:x:0:\nbwvdock:x:998:ann,bob\n";
        assert_eq!(find_in(table, 0, 2, "bwvdock"), Some("998".into()));
        assert_eq!(find_in(table, 2, 0, "0"), Some("root".into()));
        assert_eq!(find_in(table, 0, 2, "nobody"), None);
    }
}
