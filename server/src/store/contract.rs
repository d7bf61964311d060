//! The contract that every store keeps, as a test.

use super::{MAX_READ, MAX_READ_BYTES, MAX_RECORD_BYTES, Store, StoreError};

/// Checks an empty `store`.
pub(crate) async fn check(store: &dyn Store) {
    assert_eq!(store.read(0).await.unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(store.read(1).await.unwrap(), Vec::<Vec<u8>>::new());

    // Numbers start at 1 and have no gaps, and a refused append changes nothing.
    for wrong in [0, 2, u64::MAX] {
        assert_eq!(
            store.append(wrong, b"x".to_vec()).await,
            Err(StoreError::Conflict { sequence: wrong, next: 1 })
        );
    }
    store.append(1, b"one".to_vec()).await.unwrap();
    for wrong in [0, 1, 3] {
        assert_eq!(
            store.append(wrong, b"x".to_vec()).await,
            Err(StoreError::Conflict { sequence: wrong, next: 2 })
        );
    }
    assert!(matches!(store.append(2, vec![0; MAX_RECORD_BYTES + 1]).await, Err(StoreError::Failed(_))));
    assert_eq!(store.read(1).await.unwrap(), [b"one".to_vec()]);

    // Bytes come back as they went in: empty, zero bytes, larger than a page.
    let large: Vec<u8> = (0..300_000_u32).map(|i| i as u8).collect();
    store.append(2, vec![]).await.unwrap();
    store.append(3, vec![0, 255, 0]).await.unwrap();
    store.append(4, large.clone()).await.unwrap();
    assert_eq!(store.read(1).await.unwrap(), [b"one".to_vec(), vec![], vec![0, 255, 0], large.clone()]);
    assert_eq!(store.read(4).await.unwrap(), [large]);
    assert_eq!(store.read(5).await.unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(store.read(u64::MAX).await.unwrap(), Vec::<Vec<u8>>::new());

    // Of two appends for one number exactly one is taken.
    let (a, b) = tokio::join!(store.append(5, b"a".to_vec()), store.append(5, b"b".to_vec()));
    assert!(a.is_ok() != b.is_ok());
    assert_eq!(store.read(5).await.unwrap(), [if a.is_ok() { b"a".to_vec() } else { b"b".to_vec() }]);

    // Reads are bounded and continue where they stopped; numbers stay ordered past one byte.
    for sequence in 6..=(MAX_READ as u64 + 20) {
        store.append(sequence, sequence.to_be_bytes().to_vec()).await.unwrap();
    }
    let first = store.read(6).await.unwrap();
    assert_eq!(store.read(1).await.unwrap().len(), MAX_READ);
    assert_eq!(first.len(), MAX_READ.min(MAX_READ + 15));
    let rest = store.read(MAX_READ as u64 + 6).await.unwrap();
    assert_eq!(rest.len(), 15);
    assert_eq!(rest.last().unwrap(), &(MAX_READ as u64 + 20).to_be_bytes().to_vec());

    // Large records come a few at a time, one at least.
    let next = MAX_READ as u64 + 21;
    for (sequence, length) in (next..).zip([MAX_READ_BYTES + 1, MAX_READ_BYTES / 2, MAX_READ_BYTES / 2, 1]) {
        store.append(sequence, vec![7; length]).await.unwrap();
    }
    assert_eq!(store.read(next).await.unwrap().len(), 1);
    assert_eq!(store.read(next + 1).await.unwrap().len(), 2);
    assert_eq!(store.read(next + 3).await.unwrap().len(), 1);
}
